//! Which metric a name means.

use super::expression::brief;
use crate::gate::run::Kind;
use crate::inventory::distance;
use crate::metric::{self, Get, Metric, Scope, Unit};
use std::collections::BTreeSet;

/// A metric of the table, or a value with a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::gate) struct Named {
    pub(in crate::gate) kind: Kind,
    pub(in crate::gate) name: String,
    pub(in crate::gate) unit: Unit,
}

/// A shorter end of a name will do where only one name ends so; devices come before domains before the report.
const SCOPES: [(Scope, Kind); 3] =
    [(Scope::Device, Kind::Device), (Scope::Domain, Kind::Domain), (Scope::Report, Kind::Report)];

/// The metric called `name`; `values` are the names of plain values that the runs have.
pub(super) fn find(name: &str, values: &BTreeSet<&str>) -> Result<Named, String> {
    for exact in [true, false] {
        for (scope, kind) in SCOPES {
            let fits = |metric: &&Metric| {
                let shorter = || metric.name.strip_suffix(name).is_some_and(|rest| rest.ends_with('.'));
                metric.name == name || (!exact && shorter())
            };
            match in_scope(scope).filter(fits).collect::<Vec<_>>()[..] {
                [] => {}
                [one] => return Ok(Named { kind, name: one.name.to_owned(), unit: one.unit }),
                ref several => return Err(ambiguous(name, several)),
            }
        }
        if values.contains(name) {
            return Ok(Named { kind: Kind::Values, name: name.to_owned(), unit: Unit::Count });
        }
    }
    Err(unknown(name, values))
}

/// Metrics with one value.
fn in_scope(scope: Scope) -> impl Iterator<Item = &'static Metric> {
    metric::all().filter(move |metric| metric.scope() == scope && !matches!(metric.get, Get::List(_)))
}

fn ambiguous(name: &str, several: &[&Metric]) -> String {
    let names: Vec<_> = several.iter().map(|metric| metric.name).collect();
    format!("'{}' may be {}: say which", brief(name), names.join(", "))
}

fn unknown(name: &str, values: &BTreeSet<&str>) -> String {
    let full = SCOPES.into_iter().flat_map(|(scope, _)| in_scope(scope)).map(|metric| metric.name);
    // Who leaves out the beginning may mistype the end.
    let last = |full: &'static str| full.rsplit_once('.').map(|(_, last)| (last, full));
    let full = full.flat_map(|full| [Some((full, full)), last(full)]).flatten();
    let all = full.chain(values.iter().map(|&value| (value, value)));
    let name = brief(name);
    let near = all.map(|(word, full)| (distance(&name, word), full)).min();
    match near {
        Some((letters, full)) if letters * 2 <= name.chars().count() => {
            format!("'{name}' is no metric: did you mean '{full}'?")
        }
        _ => format!("'{name}' is no metric: every name of iova report --format json will do"),
    }
}
