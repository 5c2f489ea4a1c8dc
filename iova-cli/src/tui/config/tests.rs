use super::super::columns;
use super::super::habits::Palette;
use super::super::layout::Field;
use super::*;
use crate::exit::Exit;

/// A directory that is gone afterwards.
struct Dir(PathBuf);

impl Dir {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("iova-config-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join("top.toml");
        fs::write(&path, content).unwrap();
        path
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn complaint(path: &Path) -> String {
    let stop = read(Some(path)).unwrap_err();
    assert_eq!(stop.exit, Exit::Unusable);
    assert!(!stop.message.contains('\n'), "{}", stop.message);
    assert!(stop.message.starts_with(&path.display().to_string()), "{}", stop.message);
    stop.message
}

#[test]
fn everything_can_be_set() {
    let dir = Dir::new("good");
    let path = dir.file(
        "interval = \"500ms\"\nprofile = \"full\"\ntheme = \"light\"\nascii = true\nmouse = true\n\
         hide-idle = true\nsort = \"P99\"\norder = \"ascending\"\nread-only = true\n\
         columns = [\"frees/s\", \"alloc.latency_ns.p99\"]\n",
    );
    let config = read(Some(&path)).unwrap();
    assert_eq!((config.interval, config.profile), (Duration::from_millis(500), Profile::Full));
    assert!(config.ascii && config.read_only);
    let [frees, p99] = ["frees/s", "p99"].map(|title| columns::find(title).unwrap());
    let habits = config.habits;
    assert_eq!(habits.columns, [frees, p99]);
    assert!(habits.mouse && habits.hide_idle && habits.palette == Palette::Light);
    assert!(habits.sort.by == Field::Figure(p99) && !habits.sort.descending);
}

#[test]
fn what_the_table_is_sorted_by_is_among_the_columns() {
    let dir = Dir::new("sort");
    let config = read(Some(&dir.file("sort = \"frees/s\""))).unwrap();
    assert_eq!(config.habits.columns.last().copied(), columns::find("frees/s"));
    let config = read(Some(&dir.file("columns = [\"p99\", \"max\"]"))).unwrap();
    assert_eq!(Some(config.habits.sort.by), Field::find("p99"));
    let config = read(Some(&dir.file("columns = []"))).unwrap();
    assert!(config.habits.sort.by == Field::Device && !config.habits.sort.descending);
}

#[test]
fn what_is_wrong_is_named_with_its_line_and_what_is_allowed() {
    let dir = Dir::new("bad");
    for (text, line, hints) in [
        ("\nmouse = true\nintervall = \"1s\"", 3, ["'intervall' is no key", "use interval, profile"]),
        ("[colors]\nx = 1", 1, ["'colors'", "read-only"]),
        ("interval = \"10x\"", 1, ["interval: ", "no unit of time"]),
        ("interval = 1", 1, ["interval: ", "in quotes"]),
        ("interval = \"0s\"", 1, ["interval: ", "10ms to 24h"]),
        ("# so\nprofile = \"heavy\"", 2, ["profile: ", "\"light\", \"default\", \"full\""]),
        ("theme = \"blue\"", 1, ["theme: ", "\"dark\", \"light\", \"mono\""]),
        ("mouse = \"yes\"", 1, ["mouse: ", "true or false"]),
        ("order = \"up\"", 1, ["order: ", "\"descending\", \"ascending\""]),
        ("sort = \"speed\"", 1, ["sort: ", "device, name, driver, policy, allocs/s"]),
        ("columns = \"p99\"", 1, ["columns: ", "a list"]),
        ("columns = [\"p99\", \"p98\"]", 1, ["columns: \"p98\" is no column", "use allocs/s, p50"]),
        ("columns = [\"p99\", \"p99\"]", 1, ["columns: \"p99\" is there twice", "once"]),
        ("mouse = true\nmouse = false", 2, ["duplicate key", ""]),
        ("mouse =", 1, ["", ""]),
        ("a\u{1b}[2Jb = 1", 1, ["", ""]),
    ] {
        let complaint = complaint(&dir.file(text));
        assert!(complaint.contains(&format!("top.toml, line {line}: ")), "{text:?}: {complaint}");
        assert!(hints.iter().all(|hint| complaint.contains(hint)), "{text:?}: {complaint}");
    }
}

#[test]
fn what_is_no_small_file_of_text_is_refused() {
    let dir = Dir::new("odd");
    let full = "#".repeat(LIMIT as usize);
    assert!(read(Some(&dir.file(&full))).is_ok());
    assert!(complaint(&dir.file(full + "#")).contains("larger than 64 KiB"));
    assert!(complaint(&dir.file([0xff, 0xfe])).contains("UTF-8"));
    assert!(complaint(&dir.0).contains("no regular file"));
    assert!(complaint(Path::new("/dev/zero")).contains("no regular file"));
    assert!(complaint(&dir.0.join("none")).contains("No such file"));
}

#[test]
fn the_file_that_is_written_changes_nothing_with_and_without_its_marks() {
    let dir = Dir::new("usual");
    let text = parse::usual();
    assert_eq!(read(Some(&dir.file(&text))).unwrap(), Config::default());
    let is_setting =
        |line: &str| line.starts_with('#') && !line.starts_with("# ") && !line.starts_with("#  ");
    let set: Vec<&str> = text.lines().filter(|line| is_setting(line)).map(|line| &line[1..]).collect();
    assert_eq!(set.len(), 10, "{text}");
    assert_eq!(read(Some(&dir.file(set.join("\n")))).unwrap(), Config::default());
}

#[test]
fn a_file_is_written_once() {
    let dir = Dir::new("write");
    let path = dir.0.join("a/b/top.toml");
    assert_eq!(write(Some(&path)).unwrap(), path);
    fs::write(&path, "mouse = true").unwrap();
    let stop = write(Some(&path)).unwrap_err();
    assert!(stop.message.contains("stays as it is") && stop.exit == Exit::Unusable, "{}", stop.message);
    assert_eq!(fs::read_to_string(&path).unwrap(), "mouse = true");
    let stop = write(Some(&path.join("below/top.toml"))).unwrap_err();
    assert!(stop.message.contains("can't be written"), "{}", stop.message);
}
