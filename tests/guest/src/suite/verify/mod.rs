//! `iova verify`: devices whose width is known get exactly that found, honest ones pass, and whatever ends it early, all
//! is put back.

mod answer;
mod consent;
mod cuts;
mod disk;
mod early;
mod report;
mod widths;

pub(crate) use self::widths::edu_work;
use crate::Test;

/// Where another IOMMU, or other devices, may have another answer.
pub(crate) const WIDTHS: &[(&str, Test)] = &[("verify.every_width_is_found", widths::found)];

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("verify.conditions", early::conditions),
    ("verify.interrupted_and_resumed", early::interrupted),
    ("verify.killed_and_closed", early::killed),
    ("verify.the_network_card_is_honest", widths::network),
    ("verify.the_disk_is_honest", disk::honest),
    ("verify.reports_tell_nothing_of_the_host", report::nothing_of_the_host),
    ("verify.a_report_is_written_after_a_yes", consent::a_yes_writes),
    ("verify.only_the_scratch_partition_is_written", disk::scratch),
];

/// For a row of guests whose power is cut.
pub(crate) const CUTS: &[(&str, Test)] = &[("verify.cuts", cuts::after_a_cut)];
