// y [T, M] = (max(y, loudest − 8) + 4) / 4: eight decades below the loudest are kept; 0 behind the recording's end. One workgroup a
// frame.
struct Params { mels: u32, stride: u32, rows: u32, unused: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> control: array<u32>;
@group(0) @binding(2) var<storage, read> peaks: array<f32>;   // [rows + 2]
@group(0) @binding(3) var<storage, read_write> y: array<f32>; // [T, M]

var<workgroup> largest: array<f32, 64>;

@compute @workgroup_size(64)
fn mel_range(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
    if (group.x >= rows_in_use()) { return; }
    let end = peaks[params.rows + 1u];
    var loudest = peaks[params.rows];
    for (var i = local; i < rows_in_use(); i += 64u) { loudest = max(loudest, peaks[i]); }
    largest[local] = loudest;
    workgroupBarrier();
    for (var i = 0u; i < 64u; i++) { loudest = max(loudest, largest[i]); }
    for (var mel = local; mel < params.mels; mel += 64u) {
        let at = group.x * params.stride + mel;
        y[at] = select(0.0, (max(y[at], loudest - 8.0) + 4.0) / 4.0, f32(group.x) < end);
    }
}
