//! Video4Linux as the kernel's `uapi/linux/videodev2.h` has it: the structures
//! and operations that capturing needs, and no more.

use std::io;
use std::os::fd::AsFd;
use std::ptr;

use rustix::ioctl::{Opcode, Setter, Updater, ioctl, opcode};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

const CAPTURE: u32 = 1;
const MEMORY_MAPPED: u32 = 1;
const FIELD_NONE: u32 = 1;
const CAN_CAPTURE: u32 = 0x0000_0001;
const CAN_CAPTURE_PLANES: u32 = 0x0000_1000;
const CAN_STREAM: u32 = 0x0400_0000;
const HAS_DEVICE_CAPS: u32 = 0x8000_0000;
const BUFFER_ERROR: u32 = 0x0040;

const QUERY_CAPABILITY: Opcode = opcode::read::<Capability>(b'V', 0);
const SET_FORMAT: Opcode = opcode::read_write::<Format>(b'V', 5);
const REQUEST_BUFFERS: Opcode = opcode::read_write::<RequestBuffers>(b'V', 8);
const QUERY_BUFFER: Opcode = opcode::read_write::<Buffer>(b'V', 9);
const QUEUE_BUFFER: Opcode = opcode::read_write::<Buffer>(b'V', 15);
const DEQUEUE_BUFFER: Opcode = opcode::read_write::<Buffer>(b'V', 17);
const STREAM_ON: Opcode = opcode::write::<i32>(b'V', 18);
const SET_PARAMETERS: Opcode = opcode::read_write::<Parameters>(b'V', 22);

/// Four letters that name a pixel format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FourCc(pub [u8; 4]);

/// What a device can do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Abilities {
    pub captures: bool,
    /// Only with each plane of a picture in memory of its own.
    pub captures_planes: bool,
    pub streams: bool,
}

/// The pictures that a device gives.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub width: u32,
    pub height: u32,
    pub format: FourCc,
    pub bytes_per_line: u32,
}

/// A buffer that the device has filled.
#[derive(Clone, Copy, Debug)]
pub(super) struct Filled {
    pub index: u32,
    pub bytes: usize,
    /// The device says that its content is damaged.
    pub broken: bool,
}

/// A buffer that the device fills, in our memory too.
pub(super) struct Mapped {
    start: ptr::NonNull<u8>,
    bytes: usize,
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Capability {
    driver: [u8; 16],
    card: [u8; 32],
    bus_info: [u8; 32],
    version: u32,
    capabilities: u32,
    device_caps: u32,
    reserved: [u32; 3],
}

// In the kernel a union of which one member has pointers: that decides where it
// begins.
#[repr(C)]
#[cfg_attr(target_pointer_width = "64", repr(align(8)))]
#[derive(Clone, Copy)]
struct FormatUnion {
    width: u32,
    height: u32,
    pixel_format: u32,
    field: u32,
    bytes_per_line: u32,
    size_image: u32,
    // Colour space and what belongs to it; the driver's business.
    rest: [u32; 44],
}

#[repr(C)]
#[derive(Clone, Copy)]
struct Format {
    kind: u32,
    of: FormatUnion,
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
struct RequestBuffers {
    count: u32,
    kind: u32,
    memory: u32,
    capabilities: u32,
    flags: u32,
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Buffer {
    index: u32,
    kind: u32,
    bytes_used: u32,
    flags: u32,
    field: u32,
    // A C `long`, also on 32 bits: the form of this operation that every kernel
    // has, with or without 64-bit time. The time itself is not used.
    timestamp: [core::ffi::c_long; 2],
    timecode: [u32; 4],
    sequence: u32,
    memory: u32,
    // A union of an offset and a pointer.
    offset: core::ffi::c_ulong,
    length: u32,
    reserved: u32,
    request: i32,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct Parameters {
    kind: u32,
    capability: u32,
    mode: u32,
    frame_numerator: u32,
    frame_denominator: u32,
    rest: [u32; 46],
}

/// What `gcc` and `arm-linux-gnueabihf-gcc` print for the operations of the
/// kernel's own header and for `offsetof`. An operation's number holds the size of
/// its structure. Checked by every build, as no test runs on every processor.
const _: () = {
    use std::mem::offset_of;

    let wide = cfg!(target_pointer_width = "64");
    assert!(QUERY_CAPABILITY == 0x8068_5600);
    assert!(SET_FORMAT == if wide { 0xc0d0_5605 } else { 0xc0cc_5605 });
    assert!(REQUEST_BUFFERS == 0xc014_5608);
    assert!(QUERY_BUFFER == if wide { 0xc058_5609 } else { 0xc044_5609 });
    assert!(QUEUE_BUFFER == if wide { 0xc058_560f } else { 0xc044_560f });
    assert!(DEQUEUE_BUFFER == if wide { 0xc058_5611 } else { 0xc044_5611 });
    assert!(STREAM_ON == 0x4004_5612);
    assert!(SET_PARAMETERS == 0xc0cc_5616);
    assert!(offset_of!(Format, of) == if wide { 8 } else { 4 });
    assert!(offset_of!(Buffer, memory) == if wide { 60 } else { 48 });
    assert!(offset_of!(Buffer, offset) == if wide { 64 } else { 52 });
    assert!(offset_of!(Buffer, length) == if wide { 72 } else { 56 });
    assert!(offset_of!(Parameters, frame_numerator) == 12);
};

pub(super) fn abilities(device: impl AsFd) -> io::Result<Abilities> {
    let mut found = Capability::default();
    update::<QUERY_CAPABILITY, _>(device, &mut found)?;
    // The first is of the whole of the hardware, the second of this device file.
    let has_own = found.capabilities & HAS_DEVICE_CAPS != 0;
    let able = if has_own { found.device_caps } else { found.capabilities };
    Ok(Abilities {
        captures: able & CAN_CAPTURE != 0,
        captures_planes: able & CAN_CAPTURE_PLANES != 0,
        streams: able & CAN_STREAM != 0,
    })
}

/// Asks for pictures and says which ones the device gives instead.
pub(super) fn set_format(
    device: impl AsFd,
    width: u32,
    height: u32,
    format: FourCc,
) -> io::Result<Shape> {
    let of = FormatUnion {
        width,
        height,
        pixel_format: u32::from_le_bytes(format.0),
        field: FIELD_NONE,
        bytes_per_line: 0,
        size_image: 0,
        rest: [0; 44],
    };
    let mut format = Format { kind: CAPTURE, of };
    update::<SET_FORMAT, _>(device, &mut format)?;
    Ok(Shape {
        width: format.of.width,
        height: format.of.height,
        format: FourCc(format.of.pixel_format.to_le_bytes()),
        bytes_per_line: format.of.bytes_per_line,
    })
}

pub(super) fn set_frames_per_second(device: impl AsFd, rate: u32) -> io::Result<()> {
    let mut parameters = Parameters {
        kind: CAPTURE,
        capability: 0,
        mode: 0,
        frame_numerator: 1,
        frame_denominator: rate,
        rest: [0; 46],
    };
    update::<SET_PARAMETERS, _>(device, &mut parameters)
}

/// Asks for buffers and maps those that there are.
pub(super) fn map_buffers(device: impl AsFd, count: u32) -> io::Result<Vec<Mapped>> {
    let mut request =
        RequestBuffers { count, kind: CAPTURE, memory: MEMORY_MAPPED, ..Default::default() };
    update::<REQUEST_BUFFERS, _>(&device, &mut request)?;
    (0..request.count)
        .map(|index| {
            let mut buffer = named(index);
            update::<QUERY_BUFFER, _>(&device, &mut buffer)?;
            Mapped::map(&device, buffer.length as usize, u64::from(buffer.offset as u32))
        })
        .collect()
}

/// Gives a buffer to the device.
pub(super) fn queue(device: impl AsFd, index: u32) -> io::Result<()> {
    update::<QUEUE_BUFFER, _>(device, &mut named(index))
}

/// Takes a filled buffer from the device; nothing if there is none yet.
pub(super) fn dequeue(device: impl AsFd) -> io::Result<Option<Filled>> {
    let mut buffer = named(0);
    match update::<DEQUEUE_BUFFER, _>(device, &mut buffer) {
        Ok(()) => Ok(Some(Filled {
            index: buffer.index,
            bytes: buffer.bytes_used as usize,
            broken: buffer.flags & BUFFER_ERROR != 0,
        })),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}

/// Starts the stream; closing the device ends it.
pub(super) fn start(device: impl AsFd) -> io::Result<()> {
    // SAFETY: the operation reads one int, the kind of buffer.
    let operation = unsafe { Setter::<STREAM_ON, i32>::new(CAPTURE as i32) };
    // SAFETY: the kernel writes nothing to our memory.
    Ok(unsafe { ioctl(device, operation) }?)
}

fn named(index: u32) -> Buffer {
    Buffer { index, kind: CAPTURE, memory: MEMORY_MAPPED, ..Default::default() }
}

/// Runs an operation that reads and writes one of the structures above.
fn update<const OPERATION: Opcode, T: Copy>(device: impl AsFd, value: &mut T) -> io::Result<()> {
    // SAFETY: an operation's number holds the size of its structure, and each is
    // made above from the structure that it is used with. All of them are
    // integers, so whatever the kernel writes is a value.
    let operation = unsafe { Updater::<OPERATION, T>::new(value) };
    // SAFETY: none of these operations makes the kernel keep a pointer.
    Ok(unsafe { ioctl(device, operation) }?)
}

impl Mapped {
    fn map(device: impl AsFd, bytes: usize, offset: u64) -> io::Result<Mapped> {
        // SAFETY: a new mapping at an address that the kernel chooses touches no
        // memory that anything else uses.
        let start = unsafe {
            mmap(ptr::null_mut(), bytes, ProtFlags::READ, MapFlags::SHARED, device, offset)
        }?;
        let start = ptr::NonNull::new(start.cast())
            .ok_or_else(|| io::Error::other("a buffer was mapped at address 0"))?;
        Ok(Mapped { start, bytes })
    }

    /// What the device has put in. To be called between taking the buffer from
    /// the device and giving it back.
    pub fn filled(&self, bytes: usize) -> &[u8] {
        let bytes = bytes.min(self.bytes);
        // SAFETY: so many bytes are mapped for as long as `self` lives. The
        // device does not write to a buffer that it was not given; one that did
        // would change pixels, of which any value is one.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), bytes) }
    }

    pub fn len(&self) -> usize {
        self.bytes
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        // SAFETY: it was mapped with this length, and slices of it borrow `self`.
        // An error would mean that it was not.
        let _ = unsafe { munmap(self.start.as_ptr().cast(), self.bytes) };
    }
}

impl std::fmt::Display for FourCc {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_camera_says_so() {
        let file = tempfile::tempfile().unwrap();
        let error = abilities(&file).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(25), "ENOTTY, not {error}");
    }
}
