// How fast a device multiplies and adds: y [threads] has the sum of 32 chains, none of which waits for another.
struct Params { rounds: u32, threads: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn multiply_add(@builtin(global_invocation_id) at: vec3u) {
    if (at.x >= params.threads) { return; }
    let factor = vec4f(0.5, 0.25, 0.75, 0.125);
    let step = vec4f(f32(at.x % 8u));
    var a = vec4f(0.0);
    var b = vec4f(1.0);
    var c = vec4f(2.0);
    var d = vec4f(3.0);
    var e = vec4f(4.0);
    var f = vec4f(5.0);
    var g = vec4f(6.0);
    var h = vec4f(7.0);
    for (var i = 0u; i < params.rounds; i++) {
        a = fma(a, factor, step);
        b = fma(b, factor, step);
        c = fma(c, factor, step);
        d = fma(d, factor, step);
        e = fma(e, factor, step);
        f = fma(f, factor, step);
        g = fma(g, factor, step);
        h = fma(h, factor, step);
    }
    y[at.x] = dot((a + b) + (c + d) + ((e + f) + (g + h)), vec4f(1.0));
}
