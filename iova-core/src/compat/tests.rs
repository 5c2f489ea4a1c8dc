//! Records, lists and what is made of them.

use super::*;

pub(crate) mod made;
mod matching;
mod rejected;

pub(crate) use matching::{list, ok, record};
