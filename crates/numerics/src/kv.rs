//! How the cache keeps keys and values; `shaders/shared/kv_*.wgsl` say the same.

use half::f16;

/// How keys and values are stored. A head's row of a position is whole words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum KvFormat {
    /// 16-bit floats, two a word; `head_dim` is even.
    #[default]
    F16,
    /// 32-bit floats, a word each.
    F32,
    /// Signed bytes, 32 with an f32 scale behind them.
    Q8,
}

/// Numbers with one scale in [`KvFormat::Q8`].
const BLOCK: usize = 32;
/// Words of such a block: its codes, and its scale.
const BLOCK_WORDS: usize = BLOCK / 4 + 1;

impl KvFormat {
    /// Every format.
    pub const ALL: [KvFormat; 3] = [KvFormat::F16, KvFormat::F32, KvFormat::Q8];

    /// The name people write: `f16`, `f32`, `q8`.
    pub fn name(self) -> &'static str {
        match self {
            KvFormat::F16 => "f16",
            KvFormat::F32 => "f32",
            KvFormat::Q8 => "q8",
        }
    }

    /// The format of that [`name`](KvFormat::name), if there is one.
    pub fn from_name(name: &str) -> Option<KvFormat> {
        KvFormat::ALL.into_iter().find(|format| format.name() == name)
    }

    /// u32 words of a head's row.
    pub fn row_words(self, head_dim: usize) -> usize {
        match self {
            KvFormat::F16 => head_dim / 2,
            KvFormat::F32 => head_dim,
            KvFormat::Q8 => head_dim.div_ceil(BLOCK) * BLOCK_WORDS,
        }
    }

    /// Numbers → a head's row.
    pub fn write(self, x: &[f32], row: &mut [u32]) {
        match self {
            KvFormat::F16 => {
                for (word, pair) in row.iter_mut().zip(x.chunks_exact(2)) {
                    *word = half_bits(pair[0]) | half_bits(pair[1]) << 16;
                }
            }
            KvFormat::F32 => row.copy_from_slice(bytemuck::cast_slice(x)),
            KvFormat::Q8 => {
                for (x, words) in x.chunks(BLOCK).zip(row.chunks_exact_mut(BLOCK_WORDS)) {
                    // By their bits, which order as the sizes do, with infinity and NaN above: the scale keeps those.
                    let most = f32::from_bits(x.iter().fold(0, |most, x| most.max(x.abs().to_bits())));
                    let inverse = if most == 0.0 { 0.0 } else { 127.0 / most };
                    let (codes, scale) = words.split_at_mut(BLOCK / 4);
                    scale[0] = (most / 127.0).to_bits();
                    codes.fill(0);
                    let codes: &mut [i8] = bytemuck::cast_slice_mut(codes);
                    codes.iter_mut().zip(x).for_each(|(code, x)| *code = (x * inverse).round_ties_even() as i8);
                }
            }
        }
    }

    /// A head's row → numbers.
    #[inline(always)]
    pub fn read(self, row: &[u32], x: &mut [f32]) {
        match self {
            KvFormat::F16 => {
                for (x, bits) in x.iter_mut().zip(bytemuck::cast_slice::<u32, u16>(row)) {
                    *x = f16::from_bits(*bits).to_f32();
                }
            }
            KvFormat::F32 => x.copy_from_slice(bytemuck::cast_slice(&row[..x.len()])),
            KvFormat::Q8 => {
                for (x, words) in x.chunks_mut(BLOCK).zip(row.chunks_exact(BLOCK_WORDS)) {
                    let scale = f32::from_bits(words[BLOCK / 4]);
                    let codes: &[i8] = bytemuck::cast_slice(&words[..BLOCK / 4]);
                    x.iter_mut().zip(codes).for_each(|(x, code)| *x = scale * f32::from(*code));
                }
            }
        }
    }
}

/// The f16 number nearest to `x`, of two the even one; without a branch, so that loops over it become vector code.
fn half_bits(x: f32) -> u32 {
    let (bits, sign) = (x.to_bits() & 0x7fff_ffff, x.to_bits() >> 16 & 0x8000);
    // The exponent is 112 too large. Half a unit in the last place, or a little less where the digit before is even.
    let normal = (bits + (bits >> 13 & 1)).wrapping_add(0x0fff).wrapping_sub(112 << 23) >> 13;
    // Added to 1/2, a small number leaves its digits where f16 has them.
    let subnormal = (f32::from_bits(bits) + 0.5).to_bits() - 0.5f32.to_bits();
    let finite = if bits < 113 << 23 { subnormal } else { normal };
    let infinite = if bits > 0x7f80_0000 { 0x7e00 } else { 0x7c00 };
    sign | if bits >= 0x477f_f000 { infinite } else { finite }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_rounded_to_the_nearest() {
        for bits in (0..u32::MAX - 997).step_by(997) {
            let x = f32::from_bits(bits);
            let (got, want) = (half_bits(x), f16::from_f32(x));
            assert!(got == u32::from(want.to_bits()) || want.is_nan() && got & 0x7fff > 0x7c00, "{x}: {got:#x}");
        }
    }

    #[test]
    fn rows_come_back_as_they_were_within_what_is_kept() {
        for head_dim in [4, 32, 48, 64, 80, 128] {
            let x: Vec<f32> = (0..head_dim).map(|i| ((i * 37 % 101) as f32 - 50.0) / 17.0).collect();
            for (format, error) in [(KvFormat::F32, 0.0), (KvFormat::F16, 2e-3), (KvFormat::Q8, 1.2e-2)] {
                let mut row = vec![7; format.row_words(head_dim)];
                format.write(&x, &mut row);
                let mut back = vec![0.0; head_dim];
                format.read(&row, &mut back);
                let largest = x.iter().zip(&back).map(|(x, y)| (x - y).abs()).fold(0.0, f32::max);
                assert!(largest <= error, "{} {head_dim}: {largest}", format.name());
            }
        }
    }
}
