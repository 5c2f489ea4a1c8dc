//! What a user may have otherwise than usual: on the command line or in the configuration file.

use super::columns::USUAL;
use super::layout::Field;

/// Which colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Palette {
    /// For dark backgrounds.
    #[default]
    Dark,
    /// For light backgrounds.
    Light,
    /// None.
    Mono,
}

impl Palette {
    pub(crate) const ALL: [Self; 3] = [Self::Dark, Self::Light, Self::Mono];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Dark => "dark",
            Self::Light => "light",
            Self::Mono => "mono",
        }
    }

    pub(crate) fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|palette| palette.name() == name)
    }

    pub(crate) fn next(self) -> Self {
        match self {
            Self::Dark => Self::Light,
            Self::Light => Self::Mono,
            Self::Mono => Self::Dark,
        }
    }
}

/// What the table is sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sort {
    pub(crate) by: Field,
    pub(crate) descending: bool,
}

impl Sort {
    /// Largest figure first, or names from A on.
    pub(crate) fn by(field: Field) -> Self {
        Self { by: field, descending: matches!(field, Field::Figure(_)) }
    }
}

/// How the screen begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Habits {
    pub(crate) palette: Palette,
    pub(crate) mouse: bool,
    pub(crate) hide_idle: bool,
    pub(crate) sort: Sort,
    /// The columns of figures to show, from left to right.
    pub(crate) columns: Vec<usize>,
}

impl Default for Habits {
    fn default() -> Self {
        Self {
            palette: Palette::default(),
            mouse: false,
            hide_idle: false,
            sort: Sort::by(Field::Figure(0)),
            columns: usual_columns(),
        }
    }
}

pub(crate) fn usual_columns() -> Vec<usize> {
    (0..USUAL).collect()
}
