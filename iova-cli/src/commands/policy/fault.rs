//! Which of the kernel's events are faults of one device.

use iova_core::inventory::Device;
use iova_core::sample::{Event, What};

/// Address and direction of a fault, if it is one of this device.
pub(in crate::commands) fn fault_of(event: &Event, device: &Device) -> Option<(u64, Option<bool>)> {
    let What::Fault { addr, bdf, read, .. } = &event.what else { return None };
    let ours = match bdf {
        Some(bdf) => *bdf == device.bdf,
        None => event.dev != 0 && device.dev == Some(event.dev),
    };
    ours.then_some((*addr, *read))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::fixtures;

    #[test]
    fn faults_of_others_are_none_of_ours() {
        let nvme = &fixtures::inventory().devices[2];
        let fault = |dev, bdf: Option<&str>| Event {
            ns: 1,
            cpu: 0,
            dev,
            iovad: 0,
            what: What::Fault {
                addr: 0x7fff_f000,
                bdf: bdf.map(Into::into),
                reason: None,
                read: Some(false),
            },
        };
        assert_eq!(fault_of(&fault(0, Some(&nvme.bdf)), nvme), Some((0x7fff_f000, Some(false))));
        assert_eq!(fault_of(&fault(3, None), nvme), Some((0x7fff_f000, Some(false))));
        assert_eq!(fault_of(&fault(2, None), nvme), None);
        assert_eq!(fault_of(&fault(0, None), nvme), None);
        assert_eq!(fault_of(&fault(0, Some("0000:00:03.0")), nvme), None);
    }
}
