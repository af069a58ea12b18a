//! Large pictures in tiles, with the whole of it behind them, as Idefics3 and SmolVLM see them (Laurençon et al. 2024,
//! <https://arxiv.org/abs/2408.12637>; transformers' Pillow processor).

use super::picture::Picture;
use super::resize::{Filter, resize};
use crate::error::{Error, Result};
use serde_json::Value;

/// How pictures are cut.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tiling {
    /// Pixels of the longer edge that a picture is brought to.
    pub longest: usize,
    /// Pixels of a tile's edge.
    pub tile: usize,
    /// Whether it is cut at all.
    pub splits: bool,
}

/// The parts of a picture.
pub struct Tiles {
    /// Tiles row by row, then the whole picture; the picture alone where it is not cut.
    pub pictures: Vec<Picture>,
    /// Rows of tiles; 0 where it is not cut.
    pub rows: usize,
    /// Tiles of a row; 0 where it is not cut.
    pub columns: usize,
}

/// No edge is longer, whatever the file says.
const MOST: usize = 4096;
/// Tiles of a picture.
const MOST_TILES: usize = 256;

impl Tiling {
    /// `usual` stands for what the configuration leaves out. `wrong`: the error of a key, and of what it must be.
    ///
    /// # Errors
    /// `MODEL_FORMAT`.
    pub(super) fn read(config: &Value, usual: Tiling, wrong: &dyn Fn(&str, &str) -> Error) -> Result<Tiling> {
        let longest = |key: &str, usual: usize| match &config[key]["longest_edge"] {
            Value::Null => Ok(usual),
            edge => {
                let edge = edge.as_u64().map(|edge| edge as usize).filter(|edge| (1..=MOST).contains(edge));
                edge.ok_or_else(|| wrong(key, &format!("a longest_edge up to {MOST}")))
            }
        };
        let tile = longest("max_image_size", usual.tile)?;
        let splits = config["do_image_splitting"].as_bool().unwrap_or(usual.splits);
        let tiling = Tiling { longest: longest("size", usual.longest)?, tile, splits };
        match tiling.longest.div_ceil(tile).pow(2) {
            0..=MOST_TILES => Ok(tiling),
            _ => Err(wrong("max_image_size", &format!("large enough for {MOST_TILES} tiles a picture"))),
        }
    }

    pub(super) fn tiles(&self, picture: &Picture, filter: Filter) -> Tiles {
        let whole = |picture: &Picture| resize(picture, [self.tile; 2], filter);
        let size = [picture.height, picture.width];
        let brought = resize(picture, self.brought(size), filter);
        let [rows, columns] = self.grid(size);
        if rows == 0 {
            return Tiles { pictures: vec![whole(&brought)], rows, columns };
        }
        let brought = resize(&brought, [rows * self.tile, columns * self.tile], filter);
        let cut = |i: usize| {
            let corner = [i / columns, i % columns].map(|at| (at * self.tile) as isize);
            brought.cut(corner, [self.tile; 2])
        };
        let mut pictures: Vec<Picture> = (0..rows * columns).map(cut).collect();
        pictures.push(whole(&brought));
        Tiles { pictures, rows, columns }
    }

    /// [rows, columns] of the tiles of a picture of this size, [height, width]; zeros where it is not cut.
    pub(super) fn grid(&self, size: [usize; 2]) -> [usize; 2] {
        match self.in_tiles(self.brought(size)).map(|edge| edge / self.tile) {
            [1, 1] => [0, 0],
            grid if self.splits => grid,
            _ => [0, 0],
        }
    }

    /// The size [height, width] with the longer edge that is wanted, the other one even.
    fn brought(&self, [height, width]: [usize; 2]) -> [usize; 2] {
        let ratio = width as f64 / height as f64;
        let even = |edge: usize| edge + edge % 2;
        let [height, width] = match width >= height {
            true => [even((self.longest as f64 / ratio) as usize), self.longest],
            false => [self.longest, even((self.longest as f64 * ratio) as usize)],
        };
        [height.max(1), width.max(1)]
    }

    /// The next size of whole tiles.
    fn in_tiles(&self, [height, width]: [usize; 2]) -> [usize; 2] {
        let ratio = width as f64 / height as f64;
        let whole = |edge: usize| edge.div_ceil(self.tile).max(1) * self.tile;
        match width >= height {
            true => [whole((whole(width) as f64 / ratio) as usize), whole(width)],
            false => [whole(height), whole((whole(height) as f64 * ratio) as usize)],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_as_transformers() {
        let tiling = Tiling { longest: 1456, tile: 364, splits: true };
        let sizes = |size: [usize; 2]| (tiling.brought(size), tiling.in_tiles(tiling.brought(size)));
        assert_eq!(sizes([300, 400]), ([1092, 1456], [1092, 1456]));
        assert_eq!(sizes([400, 300]), ([1456, 1092], [1456, 1092]));
        assert_eq!(sizes([333, 1000]), ([484, 1456], [728, 1456]));
        assert_eq!(sizes([1, 5000]), ([1, 1456], [364, 1456]));
        assert_eq!(sizes([5000, 1]), ([1456, 1], [1456, 364]));
    }

    #[test]
    fn what_fits_a_tile_is_not_cut() {
        let picture = Picture { width: 6, height: 4, pixels: vec![9; 72] };
        let tiles = |longest, splits| Tiling { longest, tile: 8, splits }.tiles(&picture, Filter::Bilinear);
        let of = |tiles: Tiles| (tiles.pictures.len(), tiles.rows, tiles.columns);
        assert_eq!(of(tiles(8, true)), (1, 0, 0));
        assert_eq!(of(tiles(16, true)), (5, 2, 2));
        assert_eq!(of(tiles(32, false)), (1, 0, 0));
        let all = tiles(24, true).pictures;
        assert!(
            all.len() == 7 && all.iter().all(|tile| (tile.width, tile.height) == (8, 8) && tile.pixels == [9; 192])
        );
    }
}
