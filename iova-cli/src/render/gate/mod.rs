//! What `iova gate` prints, in each of its formats. The text for people is with the others, in `text/gate.rs`.

mod junit;
mod markdown;
pub(crate) mod words;

use super::json;
use super::text::Text;
use crate::args::gate::GateFormat;
use crate::exit::Stop;
use crate::term::Term;
use iova_core::gate::Outcome;

/// The outcome in this format.
pub(crate) fn gate(outcome: &Outcome, format: GateFormat, term: Term) -> Result<String, Stop> {
    match format {
        GateFormat::Text => Ok(Text::new(term).gate(outcome)),
        GateFormat::Json => json::document(outcome),
        GateFormat::Junit => Ok(junit::document(outcome)),
        GateFormat::Markdown => Ok(markdown::document(outcome)),
    }
}

#[cfg(test)]
mod tests;
