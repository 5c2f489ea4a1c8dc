//! `iova policy explain`: what a policy would do; changes nothing.

use super::host::{self, Host};
use crate::args::Format;
use crate::args::policy::ExplainArgs;
use crate::exit::{Exit, Stop};
use crate::output;
use crate::render::renderer;
use crate::term::Term;
use iova_core::inventory::Device;
use iova_core::kernel::Kernel;
use iova_core::policy::explain::{self, Facts, Plan, Wish};
use iova_core::policy::module::{Control, ModuleError};
use iova_core::snapshot::{self, Snapshot};
use serde::Serialize;

/// The JSON document.
#[derive(Debug, Serialize)]
pub(crate) struct Explanation {
    pub(crate) schema: &'static str,
    pub(crate) schema_version: u32,
    #[serde(flatten)]
    pub(crate) plan: Plan,
    /// Why it is not to be tried, one sentence.
    pub(crate) refused: Option<String>,
}

pub(super) fn run(args: &ExplainArgs, format: Format, term: Term) -> Result<Exit, Stop> {
    let host = Host::look()?;
    let device = host.one(&args.device)?;
    let wish = Wish {
        flush: args.flush,
        whole: args.whole,
        beyond_list: args.beyond_list,
        ..Wish::new(&device.bdf, args.policy)
    };
    let control = match Control::open(host.kernel.as_ref()) {
        // Most of it can be said without.
        Err(ModuleError::NotLoaded) => None,
        other => Some(other.map_err(host::stop)?),
    };
    let plan = plan(&host, device, &wish, control.as_ref())?;
    let refused = plan.request().err();
    let missing = matches!(refused, Some(explain::NotAdvisable::NotLoaded));
    let document = Explanation {
        schema: "iova.policy.explain",
        schema_version: 1,
        refused: refused.as_ref().map(ToString::to_string),
        plan,
    };
    output::print(&renderer(format, term).explanation(&document)?)?;
    Ok(match (missing, refused) {
        (true, _) => Exit::Unusable,
        (false, Some(_)) => Exit::No,
        (false, None) => Exit::Done,
    })
}

/// The plan for a wish about `device`.
pub(super) fn plan(
    host: &Host,
    device: &Device,
    wish: &Wish,
    control: Option<&Control>,
) -> Result<Plan, Stop> {
    let root = host.root();
    let snapshot = host
        .kernel
        .as_ref()
        .map_or_else(Snapshot::default, |kernel: &Kernel| snapshot::take_group(kernel, device.group));
    let facts = Facts::gather(&root, &host.inventory, &snapshot, wish);
    explain::plan(&facts, wish, control).map_err(|error| host::stop_for(error, &root, &device.bdf))
}
