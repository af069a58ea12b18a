//! A model's matrices in another format: which one each gets, and the rows themselves.

use super::format::{DEVICE_BLOCK, Format};

impl Format {
    /// The format of a matrix when its model is quantised to this one, by llama.cpp's habits: rows that are no whole
    /// number of blocks get a format of blocks of 32, and the output's matrix, which decides between tokens, more bits.
    ///
    /// `from` is what it is in. `None`: it stays so, because nothing fits or nothing would get smaller.
    pub fn for_matrix(self, from: Format, columns: usize, is_output: bool) -> Option<Format> {
        let wanted = match self {
            Format::F32 | Format::F16 | Format::BF16 | Format::Q8_0 => self,
            _ if is_output => Format::Q6_K,
            _ => self,
        };
        let fitting = match wanted {
            _ if columns.is_multiple_of(wanted.block_len()) => wanted,
            _ if !columns.is_multiple_of(DEVICE_BLOCK) => return None,
            Format::Q4_K => Format::Q5_0,
            Format::Q5_K => Format::Q5_1,
            _ => Format::Q8_0,
        };
        // Every block divides 256.
        (fitting.row_bytes(256) < from.row_bytes(256)).then_some(fitting)
    }

    /// File rows of `columns` weights in this format → file rows in the writable format `to`; `None` if one of the
    /// numbers is infinite or none at all.
    pub fn convert_rows(self, src: &[u8], columns: usize, to: Format) -> Option<Vec<u8>> {
        let row_bytes = self.row_bytes(columns).expect("whole blocks");
        let part_bytes = (src.len() / row_bytes).div_ceil(threads()).max(1) * row_bytes;
        if cfg!(target_arch = "wasm32") || src.len() <= part_bytes {
            return self.convert_part(src, columns, to);
        }
        std::thread::scope(|scope| {
            let parts = src.chunks(part_bytes).map(|part| scope.spawn(move || self.convert_part(part, columns, to)));
            let parts: Vec<_> = parts.collect();
            let parts = parts.into_iter().map(|part| part.join().expect("quantising does not panic"));
            Some(parts.collect::<Option<Vec<_>>>()?.concat())
        })
    }

    fn convert_part(self, src: &[u8], columns: usize, to: Format) -> Option<Vec<u8>> {
        let row_bytes = self.row_bytes(columns).expect("whole blocks");
        let mut row = vec![0f32; columns];
        let mut dst = Vec::with_capacity(src.len() / row_bytes * to.row_bytes(columns).expect("whole blocks"));
        for src in src.chunks_exact(row_bytes) {
            self.dequantize(src, &mut row);
            row.iter().all(|x| x.is_finite()).then_some(())?;
            to.spec().quantize.expect("a writable format")(&row, &mut dst);
        }
        Some(dst)
    }
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, |n| n.get())
}
