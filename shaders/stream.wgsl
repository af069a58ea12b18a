// How fast memory streams: every word of x is read once; y [threads] has each thread's sum of those that it read.
struct Params { words4: u32, threads: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4u>;
@group(0) @binding(2) var<storage, read_write> y: array<u32>;

@compute @workgroup_size(64)
fn stream(@builtin(global_invocation_id) at: vec3u) {
    if (at.x >= params.threads) { return; }
    var sum = vec4u();
    for (var i = at.x; i < params.words4; i += params.threads) { sum += x[i]; }
    y[at.x] = sum.x + sum.y + sum.z + sum.w;
}
