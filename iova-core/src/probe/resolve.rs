//! Use of a hook on this kernel, and reasons against it: one answer for those who attach and for `iova doctor`.
//!
//! A compiler may leave nothing of a function (inlined), a part of it, or all of it under another name:
//!
//! | name | compiler | what it is |
//! |---|---|---|
//! | `f.llvm.N` | clang with LTO | the whole function, made visible to other files |
//! | `f.isra.N`, `f.constprop.N` | gcc | the function with other arguments |
//! | `f.part.N`, `f.cold` | gcc, clang | a part of it |

use std::collections::BTreeSet;

use super::Skipped;
use super::hooks::{HOOKS, Hook, Place, Role, is_pointless, misleading};
use crate::kernel::Kernel;

/// Remains of a function after compilation.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Compiled {
    /// All of it, under its name.
    Whole,
    /// All of it, under other names: one, if it is not a name of several functions.
    Renamed(Vec<String>),
    /// Another function in its place.
    Changed(String),
    /// All of it, as it seems, and no type information to read its arguments by.
    Untyped,
    /// A type, and no symbol.
    Inlined,
    /// Nothing.
    Absent,
}

/// True if nothing is known that would keep a program from its place. Costs two look-ups.
pub(crate) fn usable(kernel: &Kernel, hook: &Hook) -> bool {
    blocked(kernel, hook).is_none()
        && match hook.place {
            Place::Entry | Place::Exit => kernel.hookable(hook.target),
            Place::Tracepoint => kernel.symbols.exists(&tracepoint(hook)),
        }
}

/// The functions and tracepoints that keep each job in `roles` of `wanted` hooks from being done, with the reasons. May read all
/// of the kernel's symbols, if something is missing.
pub(crate) fn missing(kernel: &Kernel, wanted: impl Fn(&Hook) -> bool) -> Vec<Skipped> {
    let wanted: Vec<&Hook> = HOOKS.iter().filter(|hook| wanted(hook)).collect();
    let roles: BTreeSet<Role> = wanted.iter().map(|hook| hook.role).collect();
    let done = |role: Role| wanted.iter().any(|hook| hook.role == role && usable(kernel, hook));
    let undone: BTreeSet<Role> =
        roles.into_iter().filter(|role| !done(*role) && !is_pointless(kernel, *role)).collect();
    let mut skipped: Vec<Skipped> = Vec::new();
    for hook in wanted.iter().filter(|hook| undone.contains(&hook.role)) {
        let why = why_not(kernel, hook, &wanted);
        let known = |skip: &Skipped| skip.hook == hook.target && skip.metric == hook.role.metric();
        if let Some(why) = why.filter(|_| !skipped.iter().any(known)) {
            skipped.push(Skipped { hook: hook.target, metric: hook.role.metric(), why });
        }
    }
    skipped
}

/// Why a hook is not usable. `None` for a function that is not there, if something is left of another one for the same job.
pub(super) fn why_not(kernel: &Kernel, hook: &Hook, all: &[&Hook]) -> Option<String> {
    if let Some(why) = blocked(kernel, hook) {
        return Some(why.to_owned());
    }
    if hook.place == Place::Tracepoint {
        return Some(format!("there is no tracepoint {}", hook.target));
    }
    let left = compiled(kernel, hook.target);
    let others = all.iter().filter(|other| other.role == hook.role && other.target != hook.target);
    let is_left = |other: &&&Hook| {
        other.place != Place::Tracepoint && compiled(kernel, other.target) != Compiled::Absent
    };
    if left == Compiled::Absent && others.clone().any(|other| is_left(&other)) {
        return None;
    }
    Some(left.sentence(hook.target))
}

/// Why a hook would mislead although it is there.
fn blocked(kernel: &Kernel, hook: &Hook) -> Option<&'static str> {
    misleading(kernel, hook.role).or_else(|| {
        (hook.role.is_two_step() && is_from_clang(kernel)).then_some(
            "clang inlines it into dma_iova_destroy, as far as its kernels are known (7.3): few of the frees would be seen",
        )
    })
}

fn is_from_clang(kernel: &Kernel) -> bool {
    kernel.root.text("proc/version").is_some_and(|version| version.contains("clang version"))
}

fn tracepoint(hook: &Hook) -> String {
    format!("__tracepoint_{}", hook.target)
}

fn compiled(kernel: &Kernel, function: &str) -> Compiled {
    let typed = kernel.btf.has_function(function);
    if kernel.symbols.exists(function) {
        return if typed { Compiled::Whole } else { Compiled::Untyped };
    }
    let mut variants = kernel.symbols.variants(function);
    let llvm = format!("{function}.llvm.");
    let renamed: Vec<String> = variants.iter().filter(|name| name.starts_with(&llvm)).cloned().collect();
    match (renamed.is_empty(), variants.pop(), typed) {
        (false, ..) => Compiled::Renamed(renamed),
        (true, Some(name), _) => Compiled::Changed(name),
        (true, None, true) => Compiled::Inlined,
        (true, None, false) => Compiled::Absent,
    }
}

impl Compiled {
    fn sentence(&self, function: &str) -> String {
        match self {
            // The table of symbols has changed since, as by a module.
            Self::Whole => format!("{function} was not there when it was looked for"),
            Self::Renamed(names) => match names.as_slice() {
                [name] => format!(
                    "{function} is whole, and the compiler (clang with LTO) named it {name}, where the kernel takes no fentry program"
                ),
                several => format!("{function} is {} functions: {}", several.len(), several.join(", ")),
            },
            Self::Changed(name) => {
                format!("{function} exists only as {name}: a part of it, or with other arguments")
            }
            Self::Untyped => format!("{function} has no type information"),
            Self::Inlined => format!("{function} exists only in parts or inlined"),
            Self::Absent => format!("{function} is inlined or does not exist"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::doctor::{self, State};
    use crate::inventory::Inventory;
    use crate::kernel::Root;

    /// Types of functions without arguments.
    fn types(functions: &[&str]) -> Vec<u8> {
        const FUNC: u32 = 12 << 24;
        const PROTO: u32 = 13 << 24;
        let (mut types, mut strings) = (vec![0, PROTO, 0], vec![0_u8]);
        for function in functions {
            types.extend([strings.len() as u32, FUNC, 1]);
            strings.extend(function.bytes().chain([0]));
        }
        let length = types.len() as u32 * 4;
        let header = [0x0001_eb9f, 24, 0, length, length, strings.len() as u32];
        header.into_iter().chain(types).flat_map(u32::to_ne_bytes).chain(strings).collect()
    }

    /// Functions and tracepoints that a line of kernels has.
    fn has(line: &str, hook: &Hook) -> bool {
        let old = hook.target.starts_with("intel_") || hook.target == "private_free_iova";
        let new = hook.target.starts_with("dma_iova_") || hook.target == "iommu_dma_map_phys";
        !old && (line == "7.3" || !new)
    }

    /// A kernel that has `names` in place of the functions called `target`.
    fn kernel(line: &str, target: &str, names: &[&str], compiler: &str) -> (Kernel, std::path::PathBuf) {
        let place = format!(
            "iova-resolve-{}-{line}-{target}-{}-{}",
            std::process::id(),
            names.concat(),
            compiler.len()
        );
        let dir = std::env::temp_dir().join(place);
        let hooks: Vec<&Hook> = HOOKS.iter().filter(|hook| has(line, hook)).collect();
        let mut symbols = "ffffffff81000000 T _text\n".to_owned();
        let mut add = |name: &str| symbols.push_str(&format!("ffffffff81000010 t {name}\n"));
        for hook in &hooks {
            match hook.place {
                Place::Tracepoint => add(&tracepoint(hook)),
                _ if hook.target == target => names.iter().for_each(|name| add(name)),
                _ => add(hook.target),
            }
        }
        let functions: BTreeSet<&str> = hooks.iter().map(|hook| hook.target).collect();
        let functions: Vec<&str> = functions.into_iter().collect();
        for (name, bytes) in [
            ("proc/kallsyms", symbols.into_bytes()),
            ("proc/version", format!("Linux version {line} ({compiler})").into_bytes()),
            ("sys/kernel/btf/vmlinux", types(&functions)),
        ] {
            let path = dir.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        (Kernel::load_from(Root::at(&dir)).unwrap(), dir)
    }

    const GCC: &str = "gcc (Debian 14.2.0-19) 14.2.0";
    const CLANG: &str = "Debian clang version 19.1.7";

    /// Metrics that `iova doctor` calls missing, and why.
    fn doctor_says(kernel: &Kernel) -> Vec<(String, String)> {
        let abilities = doctor::survey(Ok(kernel), &Inventory::default()).into_iter();
        let lacking =
            abilities.filter(|ability| ability.name.starts_with("hook ") && ability.state != State::Ok);
        lacking.map(|ability| (ability.lost, ability.found)).collect()
    }

    #[test]
    fn a_kernel_that_has_everything_lacks_nothing() {
        for line in ["6.12", "7.3"] {
            let (kernel, dir) = kernel(line, "", &[], GCC);
            assert_eq!((missing(&kernel, |_| true), doctor_says(&kernel)), (Vec::new(), Vec::new()));
            fs::remove_dir_all(dir).unwrap();
        }
    }

    /// Each function in turn, by another name or gone: its metric is missing, and doctor and report say the same of it.
    #[test]
    fn what_a_compiler_renames_is_named_and_nothing_else_is_missing() {
        for line in ["6.12", "7.3"] {
            let functions: BTreeSet<&str> = HOOKS
                .iter()
                .filter(|hook| has(line, hook) && hook.place != Place::Tracepoint)
                .map(|hook| hook.target)
                .collect();
            for function in functions {
                let (llvm, again, isra) = (
                    format!("{function}.llvm.17"),
                    format!("{function}.llvm.4"),
                    format!("{function}.isra.0"),
                );
                for (names, hint) in [
                    (vec![llvm.as_str()], format!("named it {llvm}")),
                    (vec![llvm.as_str(), again.as_str()], "is 2 functions".to_owned()),
                    (vec![isra.as_str()], format!("exists only as {isra}")),
                    (vec![], "exists only in parts or inlined".to_owned()),
                ] {
                    says_the_same(line, function, &names, &hint);
                }
            }
        }
    }

    fn says_the_same(line: &str, function: &str, names: &[&str], hint: &str) {
        let (kernel, dir) = kernel(line, function, names, GCC);
        let report = missing(&kernel, |_| true);
        let others = |hook: &&Hook| has(line, hook) && hook.target != function;
        let done: BTreeSet<Role> = HOOKS.iter().filter(others).map(|hook| hook.role).collect();
        let hooks = HOOKS.iter().filter(|hook| hook.target == function && !done.contains(&hook.role));
        let expected: BTreeSet<&str> = hooks.map(|hook| hook.role.metric()).collect();
        let metrics: BTreeSet<&str> = report.iter().map(|skipped| skipped.metric).collect();
        assert_eq!(metrics, expected, "{line} {function} as {names:?}");
        assert!(report.iter().all(|skipped| skipped.why.contains(hint)), "{report:?} should say: {hint}");
        let doctor = doctor_says(&kernel);
        let lost: BTreeSet<&str> = doctor.iter().map(|(metric, _)| metric.as_str()).collect();
        assert_eq!(lost, expected, "doctor on {line} with {function} as {names:?}: {doctor:?}");
        assert!(doctor.iter().all(|(_, found)| found.contains(hint)), "{doctor:?} should say: {hint}");
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn clang_takes_the_frees_of_the_two_step_api_away() {
        let (kernel, dir) = kernel("7.3", "", &[], CLANG);
        let metrics: BTreeSet<_> =
            missing(&kernel, |_| true).into_iter().map(|skipped| skipped.metric).collect();
        assert_eq!(metrics, ["free.count", "free.latency_ns"].into());
        assert_eq!(doctor_says(&kernel).len(), 2);
        fs::remove_dir_all(dir).unwrap();
    }
}
