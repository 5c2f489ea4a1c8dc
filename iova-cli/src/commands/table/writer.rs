//! Rows into a Parquet file, with little memory however many there are.

use super::cells::{Cells, Words};
use super::column::{self, Column, Get, Kind, Row};
use super::schema::{Leaf, schema};
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;

/// What is kept in memory before it is written as a row group.
const GROUP_BYTES: usize = 12 << 20;

pub(super) struct Table<W: Write + Send> {
    columns: Vec<Column>,
    leaves: Vec<Leaf>,
    /// Which of the leaves each one of the file is.
    order: Vec<usize>,
    file: SerializedFileWriter<W>,
    /// Per device, so that what is alike stands together.
    cells: BTreeMap<String, Vec<Cells>>,
    words: Words,
    bytes: usize,
    /// A row group is full with so many bytes.
    full: usize,
}

impl<W: Write + Send> Table<W> {
    pub(super) fn begin(out: W, columns: Vec<Column>) -> Result<Self> {
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_key_value_metadata(Some(super::about::columns(&columns)))
            .build();
        let file = SerializedFileWriter::new(out, Arc::new(schema(&columns)?), Arc::new(properties))?;
        let leaves: Vec<Leaf> = columns.iter().flat_map(Column::leaves).collect();
        let place = |path: String| {
            let known = leaves.iter().position(|leaf| leaf.path == path);
            known.ok_or_else(|| ParquetError::General(format!("{path} is in no column")))
        };
        let order = file.schema_descr().columns().iter().map(|leaf| place(leaf.path().string()));
        let order = order.collect::<Result<_>>()?;
        let (cells, words) = Default::default();
        Ok(Self { columns, leaves, order, file, cells, words, bytes: 0, full: GROUP_BYTES })
    }

    /// Smaller row groups.
    #[cfg(test)]
    pub(super) fn with_groups_of(self, full: usize) -> Self {
        Self { full, ..self }
    }

    pub(super) fn push(&mut self, row: &Row<'_>) -> Result<()> {
        let fresh = || self.leaves.iter().map(Cells::new).collect();
        let cells = self.cells.entry(row.device.bdf.clone()).or_insert_with(fresh);
        let before: usize = cells.iter().map(Cells::bytes).sum();
        let mut next = cells.iter_mut();
        self.columns.iter().for_each(|column| put(column, row, &mut next, &mut self.words));
        let after: usize = cells.iter().map(Cells::bytes).sum();
        self.bytes += after - before;
        if self.bytes < self.full { Ok(()) } else { self.flush() }
    }

    fn flush(&mut self) -> Result<()> {
        let mut group = self.file.next_row_group()?;
        for &leaf in &self.order {
            let Some(mut writer) = group.next_column()? else { break };
            for cells in self.cells.values().filter_map(|cells| cells.get(leaf)) {
                cells.write(&mut writer, &self.words)?;
            }
            writer.close()?;
        }
        group.close()?;
        (self.cells, self.words) = Default::default();
        self.bytes = 0;
        Ok(())
    }

    /// `about`: what is known of the recording at its end.
    pub(super) fn end(mut self, about: KeyValue) -> Result<W> {
        if self.bytes > 0 {
            self.flush()?;
        }
        self.file.append_key_value_metadata(about);
        self.file.into_inner()
    }
}

fn put<'a>(
    column: &Column,
    row: &Row<'_>,
    cells: &mut impl Iterator<Item = &'a mut Cells>,
    words: &mut Words,
) {
    let mut one = |value| {
        if let Some(cells) = cells.next() {
            cells.one(value);
        }
    };
    match &column.get {
        Get::Time(get) => one(get(row).map(i64::cast_unsigned)),
        Get::Flag(get) => one(Some(u64::from(get(row)))),
        Get::Text(get) => one(get(row).map(|word| words.number(&word))),
        Get::Whole(get) => one(get(row)),
        Get::Metric(metric) => one(column::value(metric, row).map(|value| match column.kind() {
            Kind::Real => value.to_bits(),
            _ => value as u64,
        })),
        Get::Texts(get) => {
            if let Some(cells) = cells.next() {
                cells.list(Some(get(row).into_iter().map(|word| words.number(word))));
            }
        }
        Get::Pairs(_, get) => match get(row) {
            None => cells.take(2).for_each(|cells| cells.list(None::<std::iter::Empty<u64>>)),
            Some(halves) => {
                halves.into_iter().zip(cells).for_each(|(half, cells)| cells.list(Some(half.into_iter())));
            }
        },
    }
}
