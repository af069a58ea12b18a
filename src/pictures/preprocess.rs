//! A picture → the patches that an encoder sees: another size, the middle of it, colours as numbers around zero
//! (`preprocessor_config.json`, as transformers' Pillow processors read it).

use super::grid::Grid;
use super::picture::Picture;
use super::resize::{Filter, resize};
use super::tiles::{Tiles, Tiling};
use crate::error::{Error, Result};
use serde_json::Value;

/// How pictures are prepared.
#[derive(Debug, Clone, PartialEq)]
pub struct Preprocessing {
    /// The size before the middle is cut out; `None`: the picture's own.
    pub resize: Option<Resize>,
    /// How that is computed.
    pub filter: Filter,
    /// [height, width] of the middle that is cut out.
    pub crop: Option<[usize; 2]>,
    /// Multiplies colours of 0 to 255.
    pub scale: f32,
    /// Taken off each colour.
    pub mean: [f32; 3],
    /// Divides each colour.
    pub std: [f32; 3],
    /// How large pictures are cut into tiles; `None`: each is seen once.
    pub tiling: Option<Tiling>,
}

/// A size, whatever the picture's own.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Resize {
    /// [height, width], stretched.
    To([usize; 2]),
    /// So many pixels on its shorter edge; the other follows.
    Shortest(usize),
}

/// Pixels that an edge of a prepared picture may have.
pub const MOST_EDGE: usize = 4096;

impl Preprocessing {
    /// SigLIP's: stretched to a square, colours from −1 to 1.
    pub fn square(edge: usize) -> Self {
        let resize = Some(Resize::To([edge; 2]));
        Preprocessing {
            resize,
            filter: Filter::Bicubic,
            crop: None,
            scale: 1.0 / 255.0,
            mean: [0.5; 3],
            std: [0.5; 3],
            tiling: None,
        }
    }

    /// The middle of a picture whose shorter edge becomes `edge`: a square of `crop` pixels.
    pub fn middle(edge: usize, crop: usize) -> Self {
        Preprocessing { resize: Some(Resize::Shortest(edge)), crop: Some([crop; 2]), ..Self::square(crop) }
    }

    /// What `preprocessor_config.json` says; `usual` stands for what it leaves out, or for all of it.
    ///
    /// # Errors
    /// `MODEL_FORMAT`, naming the key, for what makes no sense.
    pub fn read(config: Option<&Value>, usual: Preprocessing, file: &str) -> Result<Self> {
        let config = config.unwrap_or(&Value::Null);
        let wrong =
            |key: &str, must: &str| Error::format(file, format!("preprocessor_config.json: {key} must be {must}"));
        let is_off = |key: &str| config[key].as_bool() == Some(false);
        let edge = |value: &Value| value.as_u64().map(|n| n as usize).filter(|n| (1..=MOST_EDGE).contains(n));
        let both =
            |value: &Value| edge(&value["height"]).zip(edge(&value["width"])).map(|(height, width)| [height, width]);
        let tiling = usual.tiling.map(|usual| Tiling::read(config, usual, &wrong)).transpose()?;
        let resize = match &config["size"] {
            // Tiles have their size.
            _ if tiling.is_some() => tiling.map(|tiling| Resize::To([tiling.tile; 2])),
            _ if is_off("do_resize") => None,
            Value::Null => usual.resize,
            size => {
                let shortest = edge(&size["shortest_edge"]).or(edge(size)).map(Resize::Shortest);
                let found = both(size).map(Resize::To).or(shortest);
                Some(found.ok_or_else(|| {
                    wrong("size", &format!("a height and a width, or a shortest_edge, up to {MOST_EDGE}"))
                })?)
            }
        };
        let crop = match &config["crop_size"] {
            _ if is_off("do_center_crop") => None,
            Value::Null => usual.crop,
            // Beside a processor that does not crop it says nothing.
            _ if config["do_center_crop"].is_null() && usual.crop.is_none() => None,
            size => {
                let found = both(size).or(edge(size).map(|edge| [edge; 2]));
                Some(found.ok_or_else(|| wrong("crop_size", &format!("a height and a width up to {MOST_EDGE}")))?)
            }
        };
        let filter = match &config["resample"] {
            Value::Null => usual.filter,
            number => number
                .as_u64()
                .and_then(Filter::from_number)
                .ok_or_else(|| wrong("resample", "the number of one of Pillow's filters, 0 to 5"))?,
        };
        let colours = |key: &str, usual: [f32; 3]| match &config[key] {
            Value::Null => Ok(usual),
            list => {
                let numbers: Option<Vec<f32>> =
                    list.as_array().and_then(|list| list.iter().map(|x| x.as_f64().map(|x| x as f32)).collect());
                let three = numbers.and_then(|numbers| <[f32; 3]>::try_from(numbers).ok());
                three.filter(|all| all.iter().all(|x| x.is_finite())).ok_or_else(|| wrong(key, "three numbers"))
            }
        };
        let [mut mean, mut std] = [colours("image_mean", usual.mean)?, colours("image_std", usual.std)?];
        if is_off("do_normalize") {
            (mean, std) = ([0.0; 3], [1.0; 3]);
        }
        if std.contains(&0.0) {
            return Err(wrong("image_std", "three numbers other than zero"));
        }
        let scale = match config["rescale_factor"].as_f64() {
            _ if is_off("do_rescale") => 1.0,
            Some(scale) if scale.is_finite() => scale as f32,
            _ => usual.scale,
        };
        Ok(Preprocessing { resize, filter, crop, scale, mean, std, tiling })
    }

    /// [height, width] of all pictures, once they are prepared; `None` where that is each picture's own affair.
    pub fn size(&self) -> Option<[usize; 2]> {
        match (self.crop, self.resize) {
            (Some(size), _) | (None, Some(Resize::To(size))) => Some(size),
            _ => None,
        }
    }

    /// What is seen of a picture, each part in the encoder's size.
    pub fn tiles(&self, picture: &Picture) -> Tiles {
        match &self.tiling {
            Some(tiling) => tiling.tiles(picture, self.filter),
            None => Tiles { pictures: vec![self.fitted(picture)], rows: 0, columns: 0 },
        }
    }

    /// [rows, columns] of the tiles of a picture of this size, [height, width]; zeros where it is not cut.
    pub fn grid(&self, size: [usize; 2]) -> [usize; 2] {
        self.tiling.as_ref().map_or([0, 0], |tiling| tiling.grid(size))
    }

    /// The picture in its new size.
    fn fitted(&self, picture: &Picture) -> Picture {
        let [height, width] = match self.resize {
            None => [picture.height, picture.width],
            Some(Resize::To(size)) => size,
            Some(Resize::Shortest(edge)) => {
                let [short, long] = [picture.width.min(picture.height), picture.width.max(picture.height)];
                // What is cut away at last need not be made: a ribbon has no end otherwise.
                let long = ((edge as u64 * long as u64 / short as u64) as usize).min(MOST_RESIZED / edge);
                if picture.width <= picture.height { [long, edge] } else { [edge, long] }
            }
        };
        let resized = resize(picture, [height, width], self.filter);
        match self.crop {
            None => resized,
            Some(size) => {
                let before = |own: usize, wanted: usize| (own as isize - wanted as isize).div_euclid(2);
                resized.cut([before(height, size[0]), before(width, size[1])], size)
            }
        }
    }

    /// The patches of a prepared picture, each [3, edge, edge], behind each other in `rows` of `stride`. What is less than a patch
    /// at its right and lower edges is left out.
    pub fn write_patches(&self, picture: &Picture, grid: &Grid, stride: usize, rows: &mut [f32]) {
        let edge = grid.edge;
        for (i, patch) in rows.chunks_exact_mut(stride).enumerate() {
            let [top, left] = grid.place(i).map(|place| place * edge);
            for (j, number) in patch[..3 * edge * edge].iter_mut().enumerate() {
                let (colour, y, x) = (j / (edge * edge), j / edge % edge, j % edge);
                let byte = picture.pixels[3 * ((top + y) * picture.width + left + x) + colour];
                *number = (f32::from(byte) * self.scale - self.mean[colour]) / self.std[colour];
            }
        }
    }
}

/// Pixels of a resized picture, before its middle is cut out.
const MOST_RESIZED: usize = 1 << 25;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(config: Value) -> Result<Preprocessing> {
        Preprocessing::read(Some(&config), Preprocessing::square(8), "a.safetensors")
    }

    #[test]
    fn the_configuration_and_its_defaults() {
        assert_eq!(read(json!({})), Ok(Preprocessing::square(8)));
        let dino = json!({
            "size": { "shortest_edge": 256 }, "crop_size": { "height": 224, "width": 200 }, "do_center_crop": true,
            "resample": 2, "image_mean": [0.1, 0.2, 0.3], "image_std": [1, 2, 4], "rescale_factor": 0.5,
        });
        let expected = Preprocessing {
            resize: Some(Resize::Shortest(256)),
            filter: Filter::Bilinear,
            crop: Some([224, 200]),
            scale: 0.5,
            tiling: None,
            mean: [0.1, 0.2, 0.3],
            std: [1.0, 2.0, 4.0],
        };
        assert_eq!(read(dino), Ok(expected));
        assert_eq!(read(json!({ "do_normalize": false })).expect("sense").std, [1.0; 3]);
        let senseless = [
            json!({ "size": 0 }),
            json!({ "size": { "height": 9 } }),
            json!({ "size": { "height": 1 << 20, "width": 3 } }),
            json!({ "do_center_crop": true, "crop_size": "large" }),
            json!({ "resample": 9 }),
            json!({ "image_mean": [1, 2] }),
            json!({ "image_std": [1, 0, 1] }),
        ];
        for config in senseless {
            let error = read(config.clone()).expect_err("no sense");
            assert_eq!(error.code(), "MODEL_FORMAT", "{config}");
            assert!(error.to_string().contains("preprocessor_config.json: "), "{error}");
        }
    }

    #[test]
    fn the_middle_of_a_wide_and_of_a_small_picture() {
        let wide = Picture { width: 5, height: 1, pixels: (0..15).collect() };
        let keep = Preprocessing { resize: None, crop: Some([1, 2]), ..Preprocessing::square(1) };
        assert_eq!(keep.fitted(&wide).pixels, [3, 4, 5, 6, 7, 8]);
        let around = Preprocessing { crop: Some([1, 8]), ..keep };
        // As transformers: one more before it than behind it.
        assert_eq!(around.fitted(&wide).pixels[..9], [0, 0, 0, 0, 0, 0, 0, 1, 2]);
        let ribbon = Picture { width: 1, height: 100_000, pixels: vec![7; 300_000] };
        let square =
            Preprocessing { resize: Some(Resize::Shortest(4)), crop: Some([4, 4]), ..Preprocessing::square(4) };
        assert_eq!(square.fitted(&ribbon).pixels, [7; 48]);
    }

    #[test]
    fn patches_are_colour_by_colour() {
        let picture = Picture { width: 5, height: 2, pixels: (0..30).collect() };
        let plain = Preprocessing { scale: 1.0, mean: [0.0; 3], std: [1.0; 3], ..Preprocessing::square(2) };
        let mut rows = [0.0; 24];
        plain.write_patches(&picture, &Grid { edge: 2, rows: 1, columns: 2, merge: 1 }, 12, &mut rows);
        assert_eq!(rows[..12], [0., 3., 15., 18., 1., 4., 16., 19., 2., 5., 17., 20.]);
        assert_eq!(rows[12..16], [6., 9., 21., 24.]);
    }
}
