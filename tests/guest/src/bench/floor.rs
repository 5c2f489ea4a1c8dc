//! Empty programs where a profile's programs go on the path of one pair.

use anyhow::{Context as _, Result};
use aya::programs::{FEntry, FExit};
use aya::{Btf, Ebpf};
use iova_core::inventory::Inventory;
use iova_core::kernel::Kernel;
use iova_core::probe::hooks::{HOOKS, Hook, Place, Role};
use iova_core::probe::{Demand, Profile};

/// Where the lab puts the object.
const OBJECT: &str = "/lib/iova/floor.bpf.o";

/// What every 4 KiB pair that is served from the caches passes.
const PATH: [Role; 6] =
    [Role::Alloc, Role::AllocEntry, Role::Free, Role::FreeLatency, Role::Map, Role::MapEntry];

/// Attaches an empty program for each program of `profile` on the path; they go when the result is dropped.
pub(crate) fn attach(profile: &str) -> Result<Ebpf> {
    let profile: Profile = profile.parse().map_err(anyhow::Error::msg)?;
    let kernel = Kernel::load()?;
    let strict = Demand::of(&Inventory::collect(Some(&kernel))).strict;
    let btf = Btf::from_sys_fs()?;
    let mut ebpf = Ebpf::load_file(OBJECT).with_context(|| format!("cannot load {OBJECT}"))?;
    let timed = |role| profile == Profile::Full || strict || role != Role::FreeLatency;
    let is_on_path = |hook: &&Hook| hook.serves(profile) && PATH.contains(&hook.role) && timed(hook.role);
    for hook in HOOKS.iter().filter(is_on_path) {
        // Programs for functions off the path (scatter lists, coherent memory) have no empty twin.
        let Some(program) = ebpf.program_mut(hook.program).filter(|_| kernel.hookable(hook.target)) else {
            continue;
        };
        match hook.place {
            Place::Entry => {
                let program: &mut FEntry = program.try_into()?;
                program.load(hook.target, &btf)?;
                program.attach()?;
            }
            Place::Exit => {
                let program: &mut FExit = program.try_into()?;
                program.load(hook.target, &btf)?;
                program.attach()?;
            }
            Place::Tracepoint => {}
        }
    }
    Ok(ebpf)
}
