//! Cells of one column, kept until a row group is full.

use super::column::Kind;
use super::schema::Leaf;
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use parquet::errors::Result;
use parquet::file::writer::SerializedColumnWriter;
use std::collections::HashMap;

/// Texts, each once: there are few, and they are in every row.
#[derive(Default)]
pub(super) struct Words {
    numbers: HashMap<String, u64>,
    words: Vec<ByteArray>,
}

impl Words {
    pub(super) fn number(&mut self, word: &str) -> u64 {
        if let Some(&number) = self.numbers.get(word) {
            return number;
        }
        let number = self.words.len() as u64;
        self.numbers.insert(word.to_owned(), number);
        self.words.push(word.into());
        number
    }

    fn word(&self, number: u64) -> ByteArray {
        usize::try_from(number).ok().and_then(|number| self.words.get(number)).cloned().unwrap_or_default()
    }
}

/// The cells of one leaf.
pub(super) struct Cells {
    kind: Kind,
    /// 0: unknown. A value alone: 1. A list: 1 if it is empty, 2 for each of its values.
    definition: Vec<i16>,
    /// Of lists: 0 for the first of a row, 1 for those that follow it.
    repetition: Option<Vec<i16>>,
    /// As bits; texts as numbers of [`Words`].
    values: Vec<u64>,
}

impl Cells {
    pub(super) fn new(leaf: &Leaf) -> Self {
        let repetition = leaf.listed.then(Vec::new);
        Self { kind: leaf.kind, definition: Vec::new(), repetition, values: Vec::new() }
    }

    /// Bytes that it holds.
    pub(super) fn bytes(&self) -> usize {
        let levels = self.definition.len() + self.repetition.as_ref().map_or(0, Vec::len);
        levels * size_of::<i16>() + self.values.len() * size_of::<u64>()
    }

    pub(super) fn one(&mut self, value: Option<u64>) {
        self.definition.push(i16::from(value.is_some()));
        self.values.extend(value);
    }

    pub(super) fn list(&mut self, values: Option<impl Iterator<Item = u64>>) {
        let Some(repetition) = &mut self.repetition else { return };
        let before = self.values.len();
        let there = values.is_some();
        self.values.extend(values.into_iter().flatten());
        match self.values.len() - before {
            0 => {
                self.definition.push(i16::from(there));
                repetition.push(0);
            }
            more => {
                self.definition.extend(std::iter::repeat_n(2, more));
                repetition.push(0);
                repetition.extend(std::iter::repeat_n(1, more - 1));
            }
        }
    }

    pub(super) fn write(&self, writer: &mut SerializedColumnWriter<'_>, words: &Words) -> Result<()> {
        match self.kind {
            Kind::Time | Kind::Whole => self.batch::<Int64Type>(writer, u64::cast_signed),
            Kind::Real => self.batch::<DoubleType>(writer, f64::from_bits),
            Kind::Flag => self.batch::<BoolType>(writer, |bits| bits != 0),
            Kind::Text => self.batch::<ByteArrayType>(writer, |bits| words.word(bits)),
        }
    }

    fn batch<T: DataType>(
        &self,
        writer: &mut SerializedColumnWriter<'_>,
        value: impl Fn(u64) -> T::T,
    ) -> Result<()> {
        let values: Vec<T::T> = self.values.iter().map(|&bits| value(bits)).collect();
        let writer = writer.typed::<T>();
        writer.write_batch(&values, Some(&self.definition), self.repetition.as_deref()).map(drop)
    }
}
