use super::*;

fn planned() -> Desk {
    let mut desk = Desk::default();
    desk.open("0000:01:00.0", Some(64.0));
    desk.explain();
    let wish = Wish::Explain { bdf: "0000:01:00.0".into(), policy: "dac:40".into() };
    assert_eq!(desk.wishes(), [wish]);
    desk.hear(Answer::Explained {
        bdf: "0000:01:00.0".into(),
        policy: "dac:40".into(),
        plan: Ok(Plan::default()),
    });
    desk
}

fn trying() -> Desk {
    let mut desk = planned();
    desk.ask(Sure::Try);
    desk.answer(true);
    desk.wishes();
    desk
}

fn over() -> Told<Box<Summary>> {
    serde_json::from_str(include_str!("testdata/over.json")).unwrap()
}

#[test]
fn nothing_is_wished_for_by_one_key() {
    let mut desk = planned();
    desk.ask(Sure::Try);
    assert!(desk.wishes().is_empty());
    desk.answer(false);
    assert!(desk.wishes().is_empty() && desk.trial.is_none());
    desk.ask(Sure::Try);
    desk.answer(true);
    assert_eq!(desk.wishes(), [Wish::Try { bdf: "0000:01:00.0".into(), policy: "dac:40".into() }]);
}

#[test]
fn what_is_refused_or_not_yet_asked_cannot_be_tried() {
    let mut desk = Desk::default();
    desk.open("0000:01:00.0", Some(64.0));
    desk.ask(Sure::Try);
    assert_eq!(desk.sure, None);
    let mut desk = planned();
    desk.stage = Stage::Planned(Ok(Plan { refused: Some("no module".into()), ..Plan::default() }));
    desk.ask(Sure::Try);
    assert_eq!(desk.sure, None);
}

#[test]
fn an_answer_about_something_else_is_not_shown() {
    let mut desk = planned();
    desk.back();
    desk.choose(1);
    desk.explain();
    desk.hear(Answer::Explained {
        bdf: "0000:01:00.0".into(),
        policy: "dac:40".into(),
        plan: Ok(Plan::default()),
    });
    assert_eq!(desk.stage, Stage::Asking);
}

#[test]
fn a_trial_is_kept_or_taken_back_only_while_it_runs() {
    let mut desk = trying();
    desk.ask(Sure::Keep);
    assert_eq!(desk.sure, None, "nothing was measured yet");
    desk.ask(Sure::TakeBack);
    desk.answer(true);
    assert_eq!(desk.wishes(), [Wish::Answer(false)]);
    desk.ask(Sure::TakeBack);
    desk.hear(Answer::Trial(over()));
    assert_eq!(desk.sure, None, "the question has no object any more");
    assert!(desk.running().is_none());
    desk.ask(Sure::TakeBack);
    desk.answer(true);
    assert!(desk.wishes().is_empty());
}

#[test]
fn one_trial_at_a_time_and_it_is_found_again() {
    let mut desk = trying();
    desk.open("0000:00:03.0", Some(64.0));
    assert_eq!((desk.bdf.as_str(), &desk.stage), ("0000:01:00.0", &Stage::Trial));
    desk.hear(Answer::NoTrial("busy".into()));
    desk.open("0000:00:03.0", Some(32.0));
    assert_eq!((desk.bdf.as_str(), desk.policy()), ("0000:00:03.0", "cap:32"));
}

#[test]
fn leaving_with_a_trial_is_asked_about() {
    let mut desk = trying();
    desk.ask(Sure::Quit);
    assert!(!desk.answer(false));
    desk.ask(Sure::Quit);
    assert!(desk.answer(true));
    let mut idle = planned();
    idle.ask(Sure::Quit);
    assert_eq!(idle.sure, None);
}

#[test]
fn another_policy_can_be_typed() {
    let mut desk = planned();
    desk.typed = Some(String::new());
    "dac:\x1b41 ".chars().for_each(|letter| desk.type_letter(letter));
    desk.typed();
    assert_eq!((desk.policy(), &desk.stage), ("dac:41", &Stage::Choosing));
}

#[test]
fn stock_needs_no_trial() {
    let mut desk = planned();
    desk.back();
    while desk.policy() != "stock" {
        desk.choose(1);
    }
    desk.stage = Stage::Planned(Ok(Plan::default()));
    desk.ask(Sure::Try);
    assert_eq!(desk.sure, Some(Sure::Revert));
    desk.answer(true);
    assert_eq!(desk.wishes(), [Wish::Revert { bdf: "0000:01:00.0".into() }]);
}
