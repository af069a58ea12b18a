//! A kernel's uniform parameters: a struct in Rust that says how WGSL has to declare it.

use bytemuck::NoUninit;

/// A member of a parameter struct.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// As in WGSL.
    pub name: &'static str,
    /// `u32` or `f32`.
    pub scalar: &'static str,
    /// `None` for a scalar. For `n` numbers called `name`, WGSL has scalars `name0`, `name1`, …: its uniform arrays would be
    /// padded.
    pub array: Option<usize>,
    /// In bytes.
    pub offset: usize,
}

/// A struct that may be bound as a kernel's uniform parameters. Only `params!` implements it, so that each has the list
/// of members that a test compares with WGSL (`tests/shaders`).
pub trait Params: NoUninit {
    /// All members, by offset.
    const MEMBERS: &'static [Member];
}

/// Types that members may have.
pub trait MemberType {
    /// WGSL's name of the scalar.
    const SCALAR: &'static str;
    /// Numbers in it, where it is an array.
    const ARRAY: Option<usize> = None;
}

impl MemberType for u32 {
    const SCALAR: &'static str = "u32";
}

impl MemberType for f32 {
    const SCALAR: &'static str = "f32";
}

impl<T: MemberType, const N: usize> MemberType for [T; N] {
    const SCALAR: &'static str = T::SCALAR;
    const ARRAY: Option<usize> = Some(N);
}

/// `params! { struct Params { columns: u32, scale: f32 } }`: the struct with C's layout, and what [`Params`] says of it.
macro_rules! params {
    (
        $(#[$of_struct:meta])*
        $visible:vis struct $name:ident {
            $($(#[$of_member:meta])* $member_visible:vis $member:ident: $kind:ty),* $(,)?
        }
    ) => {
        $(#[$of_struct])*
        #[repr(C)]
        #[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
        $visible struct $name {
            $($(#[$of_member])* $member_visible $member: $kind),*
        }

        impl $crate::device::Params for $name {
            const MEMBERS: &'static [$crate::device::Member] = &[$($crate::device::Member {
                name: stringify!($member),
                scalar: <$kind as $crate::device::MemberType>::SCALAR,
                array: <$kind as $crate::device::MemberType>::ARRAY,
                offset: std::mem::offset_of!($name, $member),
            }),*];
        }
    };
}
pub(crate) use params;
