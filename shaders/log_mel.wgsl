// y [T, M] = log10(filters [M, 201] · |DFT(window × frame)|²) of frames of 400 samples, 160 apart, and the largest number of
// each. One workgroup a frame. The transform of real numbers: sums and differences of samples that are as far from either
// end meet cosines and sines, so that half of the products do.
struct Params { mels: u32, stride: u32, unused0: u32, unused1: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> control: array<u32>;
@group(0) @binding(2) var<storage, read> samples: array<f32>;     // [160 (T − 1) + 400]
@group(0) @binding(3) var<storage, read> tables: array<f32>;      // window [400], cosines [400], filters [M, 201]
@group(0) @binding(4) var<storage, read_write> y: array<f32>;     // [T, M]
@group(0) @binding(5) var<storage, read_write> peaks: array<f32>; // [T + 2]

const FRAME = 400u;
const HOP = 160u;
const BINS = 201u;

var<workgroup> cosines: array<f32, 400>;
var<workgroup> sums: array<f32, 201>;
var<workgroup> differences: array<f32, 201>;
var<workgroup> power: array<f32, 201>;
var<workgroup> largest: array<f32, 64>;

@compute @workgroup_size(64)
fn log_mel(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
    let row = group.x;
    if (row >= rows_in_use()) { return; }
    let first = row * HOP;
    for (var i = local; i < FRAME; i += 64u) { cosines[i] = tables[FRAME + i]; }
    for (var i = local; i < BINS; i += 64u) {
        let a = samples[first + i] * tables[i];
        // The first sample and the middle one have no partner.
        let alone = i == 0u || i == BINS - 1u;
        let partner = select(FRAME - i, i, alone);
        let b = select(samples[first + partner] * tables[partner], 0.0, alone);
        sums[i] = a + b;
        differences[i] = select(a - b, 0.0, alone);
    }
    workgroupBarrier();
    for (var bin = local; bin < BINS; bin += 64u) {
        var real = 0.0;
        var imaginary = 0.0;
        var turn = 0u; // bin × i modulo a full turn
        for (var i = 0u; i < BINS; i++) {
            real += sums[i] * cosines[turn];
            let quarter_back = select(turn - 100u, turn + 300u, turn < 100u); // the sine
            imaginary += differences[i] * cosines[quarter_back];
            turn += bin;
            if (turn >= FRAME) { turn -= FRAME; }
        }
        power[bin] = real * real + imaginary * imaginary;
    }
    workgroupBarrier();
    var most = -10.0;
    for (var mel = local; mel < params.mels; mel += 64u) {
        let filter_at = 2u * FRAME + mel * BINS;
        var energy = 0.0;
        for (var bin = 0u; bin < BINS; bin++) { energy += tables[filter_at + bin] * power[bin]; }
        let level = log2(max(energy, 1e-10)) * 0.30102999566398120; // log10 2
        y[row * params.stride + mel] = level;
        most = max(most, level);
    }
    largest[local] = most;
    workgroupBarrier();
    if (local == 0u) {
        for (var i = 0u; i < 64u; i++) { most = max(most, largest[i]); }
        peaks[row] = most;
    }
}
