//! From columns to a schema of Parquet. Dots in names become groups, so that every engine reads `alloc.latency_ns.p99`
//! without quotes.

use super::column::{Column, Get, Kind};
use parquet::basic::{LogicalType, Repetition, TimeUnit, Type as Physical};
use parquet::errors::Result;
use parquet::schema::types::Type;
use std::sync::Arc;

/// One column without lists, as Parquet stores it.
pub(super) struct Leaf {
    /// Its path in the schema.
    pub(super) path: String,
    pub(super) kind: Kind,
    pub(super) listed: bool,
}

impl Column {
    /// What it is stored in, in this order.
    pub(super) fn leaves(&self) -> Vec<Leaf> {
        let (name, kind) = (&self.name, self.kind());
        match &self.get {
            Get::Texts(_) => vec![Leaf { path: format!("{name}.list.element"), kind, listed: true }],
            Get::Pairs(halves, _) => halves
                .map(|half| Leaf { path: format!("{name}.list.element.{half}"), kind, listed: true })
                .into(),
            _ => vec![Leaf { path: name.clone(), kind, listed: false }],
        }
    }
}

enum Field {
    Group(String, Vec<Field>),
    Done(Type),
}

pub(super) fn schema(columns: &[Column]) -> Result<Type> {
    let mut fields = Vec::new();
    for column in columns {
        place(&mut fields, &column.name, column)?;
    }
    Type::group_type_builder("samples").with_fields(built(fields)?).build()
}

fn place(fields: &mut Vec<Field>, path: &str, column: &Column) -> Result<()> {
    let Some((group, rest)) = path.split_once('.') else {
        fields.push(Field::Done(field(path, column)?));
        return Ok(());
    };
    let is_it = |field: &Field| matches!(field, Field::Group(name, _) if name == group);
    if !fields.iter().any(is_it) {
        fields.push(Field::Group(group.to_owned(), Vec::new()));
    }
    match fields.iter_mut().find(|field| is_it(field)) {
        Some(Field::Group(_, inner)) => place(inner, rest, column),
        _ => Ok(()),
    }
}

fn built(fields: Vec<Field>) -> Result<Vec<Arc<Type>>> {
    let build = |field| match field {
        Field::Done(done) => Ok(Arc::new(done)),
        Field::Group(name, inner) => group(&name, Repetition::REQUIRED, built(inner)?).map(Arc::new),
    };
    fields.into_iter().map(build).collect()
}

fn field(name: &str, column: &Column) -> Result<Type> {
    let kind = column.kind();
    match &column.get {
        Get::Texts(_) => list(name, primitive("element", kind, Repetition::REQUIRED)?),
        Get::Pairs(halves, _) => {
            let halves = halves.map(|half| primitive(half, kind, Repetition::REQUIRED).map(Arc::new));
            list(name, group("element", Repetition::REQUIRED, halves.into_iter().collect::<Result<_>>()?)?)
        }
        _ => primitive(name, kind, Repetition::OPTIONAL),
    }
}

fn group(name: &str, repetition: Repetition, fields: Vec<Arc<Type>>) -> Result<Type> {
    Type::group_type_builder(name).with_repetition(repetition).with_fields(fields).build()
}

/// The three levels of a list that the format's specification asks for.
fn list(name: &str, element: Type) -> Result<Type> {
    let entries = group("list", Repetition::REPEATED, vec![Arc::new(element)])?;
    Type::group_type_builder(name)
        .with_repetition(Repetition::OPTIONAL)
        .with_logical_type(Some(LogicalType::List))
        .with_fields(vec![Arc::new(entries)])
        .build()
}

fn primitive(name: &str, kind: Kind, repetition: Repetition) -> Result<Type> {
    let (physical, logical) = match kind {
        // Some engines know no finer timestamps.
        Kind::Time => (Physical::INT64, Some(LogicalType::timestamp(true, TimeUnit::MICROS))),
        Kind::Flag => (Physical::BOOLEAN, None),
        Kind::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        Kind::Whole => (Physical::INT64, Some(LogicalType::integer(64, false))),
        Kind::Real => (Physical::DOUBLE, None),
    };
    let builder = Type::primitive_type_builder(name, physical).with_repetition(repetition);
    builder.with_logical_type(logical).build()
}
