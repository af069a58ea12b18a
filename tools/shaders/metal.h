// Metal's standard library as far as naga's text for our shaders uses it, so that clang checks types, names and overloads where
// there is no Metal. check.mjs rewrites `float4(…)` as `make<float4>(…)`: vectors of clang have no constructors.
#pragma once

typedef unsigned int uint;
typedef _Float16 half;
#define device
#define constant const
#define threadgroup
#define thread
#define kernel

// Vectors, and how many numbers of which type a type has.
template <class T> struct shape { typedef T scalar; static constexpr int size = 1; };
#define VECTOR(T, N) \
  typedef T T##N __attribute__((ext_vector_type(N))); \
  template <> struct shape<T##N> { typedef T scalar; static constexpr int size = N; };
#define VECTORS(T) VECTOR(T, 2) VECTOR(T, 3) VECTOR(T, 4)
VECTORS(uint) VECTORS(int) VECTORS(float) VECTORS(half)

// A vector of numbers and vectors that fill it exactly, or of one number.
template <class V, class T> void put(V &to, int &at, T from) {
  if constexpr (shape<T>::size == 1) to[at++] = typename shape<V>::scalar(from);
  else for (int i = 0; i < shape<T>::size; i++) to[at++] = typename shape<V>::scalar(from[i]);
}
template <class V, class T> V make(T from) {
  static_assert(shape<T>::size == 1 || shape<T>::size == shape<V>::size, "a vector of another size");
  V to;
  int at = 0;
  while (at < shape<V>::size) put(to, at, from);
  return to;
}
template <class V, class A, class B, class... Rest> V make(A a, B b, Rest... rest) {
  static_assert(shape<A>::size + shape<B>::size + (0 + ... + shape<Rest>::size) == shape<V>::size, "as many numbers as it has");
  V to;
  int at = 0;
  put(to, at, a), put(to, at, b), (put(to, at, rest), ...);
  return to;
}

template <class T, class U> T as_type(U from) {
  static_assert(sizeof(T) == sizeof(U), "as_type keeps the bits");
  return __builtin_bit_cast(T, from);
}
// static_cast: number to number, or vector to vector of as many.
template <class T, class U> T converted(U from) {
  static_assert(shape<T>::size == shape<U>::size, "a conversion keeps the size");
  if constexpr (shape<T>::size == 1) return T(from);
  else return __builtin_convertvector(from, T);
}

// Four bytes as Metal packs them.
struct packed_char4 {
  char bytes[4];
  packed_char4() {}
  explicit packed_char4(int4 from) { for (int i = 0; i < 4; i++) bytes[i] = char(from[i]); }
  operator int4() const { return make<int4>(int(bytes[0]), int(bytes[1]), int(bytes[2]), int(bytes[3])); }
  char operator[](int i) const { return bytes[i]; }
};

namespace metal {
using ::half, ::half2, ::half3, ::half4, ::uint, ::uint2, ::uint3, ::uint4, ::int2, ::int3, ::int4, ::float2, ::float3, ::float4;
using ::packed_char4;

#define OF_FLOAT(T) \
  T exp(T); T log(T); T tanh(T); T sqrt(T); T rsqrt(T); T floor(T); T rint(T); T sign(T); T abs(T); \
  T min(T, T); T max(T, T); T clamp(T, T, T); T fma(T, T, T);
OF_FLOAT(float) OF_FLOAT(float2) OF_FLOAT(float3) OF_FLOAT(float4)
#define OF_WHOLE(T) T min(T, T); T max(T, T); T clamp(T, T, T);
OF_WHOLE(uint) OF_WHOLE(uint4) OF_WHOLE(int) OF_WHOLE(int4)
int abs(int); int4 abs(int4);
float min(float, double); float max(double, float); // a number without a suffix is a float there
float dot(float2, float2); float dot(float3, float3); float dot(float4, float4);
int dot(int4, int4); uint dot(uint4, uint4);

// Comparisons of clang's vectors are vectors of int.
bool all(int2); bool all(int3); bool all(int4);
template <class T> T select(T, T, bool);
float2 select(float2, float2, int2); float4 select(float4, float4, int4);
uint2 select(uint2, uint2, int2); uint4 select(uint4, uint4, int4);
int2 select(int2, int2, int2); int4 select(int4, int4, int4);

enum class mem_flags { mem_none, mem_device, mem_threadgroup };
void threadgroup_barrier(mem_flags);
float simd_shuffle_xor(float, uint);
struct atomic_uint { uint value; };
enum memory_order { memory_order_relaxed };
uint atomic_load_explicit(const atomic_uint *, memory_order);
void atomic_store_explicit(atomic_uint *, uint, memory_order);
uint atomic_fetch_max_explicit(atomic_uint *, uint, memory_order);
}
