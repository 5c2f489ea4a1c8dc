//! Pictures as PNG files inside the page: one byte per pixel, and a palette whose first colour is transparent.
//!
//! Written here, because that is a few lines over flate2, and crate `png` brings a second miniz_oxide.
//! Format: PNG (W3C Recommendation, third edition), chapters 5 and 11.

use super::colour::Rgb;
use super::write::Html;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::write::ZlibEncoder;
use flate2::{Compression, Crc};
use std::io::{self, Write as _};

/// Pixels, row by row from the top; each is a place in the palette.
pub(super) struct Image<'a> {
    pub(super) width: usize,
    pub(super) pixels: Vec<u8>,
    pub(super) palette: &'a [Rgb],
}

impl<'a> Image<'a> {
    /// Nothing yet.
    pub(super) fn new(width: usize, height: usize, palette: &'a [Rgb]) -> Self {
        Self { width, pixels: vec![0; width * height], palette }
    }

    /// Colours a pixel; one outside stays out.
    pub(super) fn set(&mut self, x: usize, y: usize, colour: u8) {
        let place = y * self.width + x;
        if let Some(pixel) = self.pixels.get_mut(place).filter(|_| x < self.width) {
            *pixel = colour;
        }
    }

    /// Puts it into a page; nothing if it has no pixels.
    pub(super) fn draw(&self, html: &mut Html, class: &str, alt: &str) {
        if let Some(address) = self.address() {
            html.open("img", &[("class", class), ("src", &address), ("alt", alt)]);
        }
    }

    /// An address that holds it. `None` for no pixels at all, or more than a picture can have.
    fn address(&self) -> Option<String> {
        let png = self.png().ok()??;
        Some(format!("data:image/png;base64,{}", STANDARD.encode(png)))
    }

    fn png(&self) -> io::Result<Option<Vec<u8>>> {
        let height = self.pixels.len().checked_div(self.width).unwrap_or(0);
        let (Ok(wide), Ok(high)) = (u32::try_from(self.width), u32::try_from(height)) else {
            return Ok(None);
        };
        if height == 0 {
            return Ok(None);
        }
        let mut header = [wide.to_be_bytes(), high.to_be_bytes()].concat();
        // Eight bits per pixel, colours from a palette; deflate, the usual filters, no interlacing.
        header.extend([8, 3, 0, 0, 0]);
        let used = usize::from(self.pixels.iter().copied().max().unwrap_or(0)) + 1;
        let palette: Vec<u8> = self.palette.iter().take(used).flatten().copied().collect();
        let mut data = ZlibEncoder::new(Vec::new(), Compression::best());
        for row in self.pixels.chunks_exact(self.width) {
            data.write_all(&[0])?;
            data.write_all(row)?;
        }
        let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
        let chunks = [
            (b"IHDR", header),
            (b"PLTE", palette),
            (b"tRNS", vec![0]),
            (b"IDAT", data.finish()?),
            (b"IEND", vec![]),
        ];
        chunks.iter().for_each(|(kind, data)| chunk(&mut png, kind, data));
        Ok(Some(png))
    }
}

fn chunk(png: &mut Vec<u8>, kind: &[u8; 4], data: &[u8]) {
    let mut crc = Crc::new();
    crc.update(kind);
    crc.update(data);
    png.extend((data.len() as u32).to_be_bytes());
    png.extend(kind);
    png.extend(data);
    png.extend(crc.sum().to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_a_png() {
        let palette = [[255; 3], [1, 2, 3], [4, 5, 6]];
        let image = Image { width: 2, pixels: vec![0, 1, 1, 0], palette: &palette };
        let png = image.png().unwrap().unwrap();
        assert!(png.starts_with(b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\x02\0\0\0\x02\x08\x03\0\0\0"));
        // The checksum of an empty IEND, as every PNG has it.
        assert!(png.ends_with(b"\0\0\0\0IEND\xae\x42\x60\x82"));
        assert!(image.address().unwrap().starts_with("data:image/png;base64,iVBORw0KGgo"));
        let empty = Image { width: 0, pixels: Vec::new(), palette: &palette };
        assert_eq!(empty.address(), None);
    }
}
