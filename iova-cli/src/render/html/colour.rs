//! Colours of the pictures. Ramps are made in OKLab (Björn Ottosson, 2020), whose lightness is even to the eye; what they
//! tell is told by lightness alone, so colour-blind readers and printers see it too. Dark pages turn the pictures' lightness
//! round (style sheet).

use iova_core::model::low_map::Cell;
use iova_core::snapshot::RangeKind;

/// sRGB.
pub(super) type Rgb = [u8; 3];

/// Number of colours of a ramp; a picture has one more, for nothing.
pub(super) const LEVELS: u8 = 250;

/// Lightness 0 to 1, chroma, hue in degrees.
fn oklch(lightness: f64, chroma: f64, hue: f64) -> Rgb {
    let (sin, cos) = hue.to_radians().sin_cos();
    let (a, b) = (chroma * cos, chroma * sin);
    let l = (lightness + 0.396_337_777_4 * a + 0.215_803_757_3 * b).powi(3);
    let m = (lightness - 0.105_561_345_8 * a - 0.063_854_172_8 * b).powi(3);
    let s = (lightness - 0.089_484_177_5 * a - 1.291_485_548 * b).powi(3);
    [
        4.076_741_662_1 * l - 3.307_711_591_3 * m + 0.230_969_929_2 * s,
        -1.268_438_004_6 * l + 2.609_757_401_1 * m - 0.341_319_396_5 * s,
        -0.004_196_086_3 * l - 0.703_418_614_7 * m + 1.707_614_701 * s,
    ]
    .map(encode)
}

fn encode(linear: f64) -> u8 {
    let value = if linear <= 0.003_130_8 { 12.92 * linear } else { 1.055 * linear.powf(1.0 / 2.4) - 0.055 };
    (value * 255.0).round().clamp(0.0, 255.0) as u8
}

/// How many, from few (pale) to many (dark): `share` from 0 to 1.
fn many(share: f64) -> Rgb {
    oklch(0.87 - 0.65 * share, 0.045 + 0.22 * share * (1.0 - share) + 0.04 * share, 222.0 + 66.0 * share)
}

/// The colours of counts; the first is nothing.
pub(super) fn counts() -> Vec<Rgb> {
    let level = |level: u8| many(f64::from(level - 1) / f64::from(LEVELS - 1));
    std::iter::once([255; 3]).chain((1..=LEVELS).map(level)).collect()
}

/// The colours of differences: the first is none, then from much less (blue) over hardly any (pale) to much more (orange).
pub(super) fn differences() -> Vec<Rgb> {
    let level = |level: u8| {
        let place = 2.0 * f64::from(level - 1) / f64::from(LEVELS - 1) - 1.0;
        let far = place.abs();
        oklch(0.95 - 0.47 * far, 0.02 + 0.125 * far, if place < 0.0 { 255.0 } else { 52.0 })
    };
    std::iter::once([255; 3]).chain((1..=LEVELS).map(level)).collect()
}

/// What a cell of the map of the space below 4 GiB can be, with its name and colour; the first is what nobody looked at.
/// After Okabe and Ito's colours for everybody.
pub(super) const CELLS: [(Option<Cell>, &str, Rgb); 11] = [
    (None, "not read", [255, 255, 255]),
    (Some(Cell::Free), "free", [238, 238, 234]),
    (Some(Cell::Partly), "partly used", [173, 211, 240]),
    (Some(Cell::Held(RangeKind::Live)), "live", [0, 98, 164]),
    (Some(Cell::Pieces(RangeKind::Live)), "live, with gaps", [92, 156, 206]),
    (Some(Cell::Held(RangeKind::Cached)), "cached", [0, 140, 104]),
    (Some(Cell::Pieces(RangeKind::Cached)), "cached, with gaps", [98, 190, 160]),
    (Some(Cell::Held(RangeKind::Pending)), "pending", [214, 118, 0]),
    (Some(Cell::Pieces(RangeKind::Pending)), "pending, with gaps", [238, 178, 96]),
    (Some(Cell::Held(RangeKind::Reserved)), "reserved", [150, 148, 144]),
    (Some(Cell::Pieces(RangeKind::Reserved)), "reserved, with gaps", [190, 188, 184]),
];

/// Its place in [`CELLS`].
pub(super) fn cell(cell: Cell) -> u8 {
    CELLS.iter().position(|(known, _, _)| *known == Some(cell)).unwrap_or(0) as u8
}

/// "#0062a4".
pub(super) fn hex([red, green, blue]: Rgb) -> String {
    format!("#{red:02x}{green:02x}{blue:02x}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// CIE lightness, 0 to 100.
    fn lightness(rgb: Rgb) -> f64 {
        let linear = rgb.map(|value| {
            let value = f64::from(value) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        });
        let y = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
        if y > 0.008_856 { 116.0 * y.cbrt() - 16.0 } else { 903.3 * y }
    }

    /// What `invert(1) hue-rotate(180deg)` makes of a colour (Filter Effects, 8.2: the matrix of `hueRotate`).
    fn turned(rgb: Rgb) -> Rgb {
        let [r, g, b] = rgb.map(|value| f64::from(255 - value));
        let luma = 2.0 * (0.213 * r + 0.715 * g + 0.072 * b);
        [luma - r, luma - g, luma - b].map(|value| value.round().clamp(0.0, 255.0) as u8)
    }

    #[test]
    fn more_is_darker_on_light_and_lighter_on_dark_in_even_steps() {
        let ramp = &counts()[1..];
        let told: BTreeSet<Rgb> = differences().into_iter().skip(1).collect();
        assert_eq!(told.len(), usize::from(LEVELS), "the same for differences");
        assert_eq!(
            ramp.len(),
            ramp.iter().collect::<BTreeSet<_>>().len(),
            "every level can be told from its colour"
        );
        let steps = |of: &dyn Fn(Rgb) -> f64| -> Vec<f64> {
            ramp.chunks(50).map(|part| of(part[49]) - of(part[0])).collect()
        };
        for steps in [steps(&|rgb| -lightness(rgb)), steps(&|rgb| lightness(turned(rgb)))] {
            let mean = steps.iter().sum::<f64>() / steps.len() as f64;
            assert!(mean > 10.0 && steps.iter().all(|step| (0.5..1.7).contains(&(step / mean))), "{steps:?}");
        }
    }

    #[test]
    fn every_cell_has_a_colour_of_its_own() {
        let colours: BTreeSet<Rgb> = CELLS.iter().map(|(_, _, rgb)| *rgb).collect();
        assert_eq!(colours.len(), CELLS.len());
        assert_eq!(cell(Cell::Free), 1);
        assert_eq!(hex([0, 98, 164]), "#0062a4");
    }
}
