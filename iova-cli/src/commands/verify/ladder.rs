//! Which widths there are.

use crate::commands::policy::host;
use crate::exit::Stop;
use iova_core::inventory::Device;
use iova_core::policy::explain::Window;
use iova_core::policy::module::{Control, ModuleError, Request};
use iova_core::policy::verify::Ladder;
use iova_core::policy::{Policy, Refusal};

/// Asks the module for every width, in the device's domain of this moment; its driver is bound.
pub(super) fn ask(control: &Control, device: &Device, proved: u8, to: Option<u8>) -> Result<Ladder, Stop> {
    let bdf = host::bdf(device)?;
    let mut trouble = None;
    let asked = Ladder::new(proved, to, |width| {
        let policy = Policy::Dac(width);
        let request =
            Request { bdf, generation: None, policy, window: Some(Window::DEFAULT_TOP), flush: false };
        match control.dry_run(&request) {
            Ok(_) => Ok(()),
            Err(ModuleError::Refused(refusal)) => Err(refusal),
            Err(error) => {
                trouble = Some(host::stop(error));
                Err(Refusal::NoMechanism)
            }
        }
    });
    asked.map_err(|refusal| trouble.unwrap_or_else(|| Stop::unusable(format!("{}: {refusal}", device.bdf))))
}
