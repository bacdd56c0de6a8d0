/* libgraft_runtime: opens a graft bundle, checks that it answers here as it did
 * where it was made, and says what is in pictures or texts.
 *
 *     graft_model *model = NULL;
 *     graft_frame frame = GRAFT_FRAME_INIT;
 *     graft_answer answer = GRAFT_ANSWER_INIT;
 *     if (graft_open_file("solar.graft", NULL, &model) || graft_verify(model)) {
 *       return complain(graft_error());
 *     }
 *     frame.format = GRAFT_RGB; // and its size, stride, data, length
 *     if (graft_predict(model, &frame, &answer)) {
 *       return complain(graft_error());
 *     }
 *     puts(answer.label == GRAFT_UNKNOWN ? "?" : graft_label(model, answer.label));
 *     graft_close(model);
 *
 * Errors. A function that can fail returns a graft_status, and graft_error()
 * says in words what was wrong. Rust panics do not leave the library: they
 * become GRAFT_PANICKED, and Rust's own report goes to stderr.
 *
 * Threads. A model serves one thread at a time; which one may change between
 * calls. A call that finds it busy returns GRAFT_MISUSE and does not wait.
 * Different models are independent: open one for each thread, and each has its
 * own copy of the weights. The library starts no threads and installs no
 * signal handlers: a call works on the caller's thread.
 *
 * Memory. What the library allocates it frees: a model by graft_close(), and
 * with it all that was got from it. It keeps no pointer that it was given. A
 * struct begins with its size, so that a later library with longer structs still
 * serves a program that was built against this header.
 *
 * Made from the sources of libgraft_runtime; changes here are lost. */

#ifndef GRAFT_H
#define GRAFT_H

#include <stddef.h>
#include <stdint.h>

/* Of this header; graft_version() is the library's. */
#define GRAFT_VERSION "0.1.0"
#define GRAFT_VERSION_MAJOR 0
#define GRAFT_VERSION_MINOR 1
#define GRAFT_VERSION_PATCH 0

/* What a struct begins with: graft_frame frame = GRAFT_FRAME_INIT; */
#define GRAFT_FRAME_INIT {sizeof(graft_frame), 0, 0, 0, 0, NULL, 0}
#define GRAFT_ANSWER_INIT {sizeof(graft_answer), GRAFT_UNKNOWN, 0, 0, NULL, 0, 0, 0}
#define GRAFT_INFO_INIT {sizeof(graft_info), 0, 0, 0, 0, 0, NULL, NULL, NULL, 0, 0}

// The label of an answer that is not sure enough.
#define GRAFT_UNKNOWN -1

// What a call returns. Whatever is not GRAFT_OK has a text: graft_error().
enum graft_status
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  // Done.
  GRAFT_OK = 0,
  // The call breaks a rule of this header: a NULL pointer, a struct without
  // its size, a model that another thread is using.
  GRAFT_MISUSE = 1,
  // The bundle's file cannot be read.
  GRAFT_FILE = 2,
  // The bytes are no bundle, or a damaged one.
  GRAFT_BUNDLE = 3,
  // The bundle is not signed with the key that was demanded.
  GRAFT_SIGNATURE = 4,
  // The engine cannot run this bundle's network.
  GRAFT_NETWORK = 5,
  // The bundle does not answer here as it did on the host.
  GRAFT_DIFFERS = 6,
  // graft_verify() has not succeeded for this model yet.
  GRAFT_UNVERIFIED = 7,
  // The numbers of a frame do not fit each other.
  GRAFT_FRAME = 8,
  // The bytes are no picture that can be read.
  GRAFT_PICTURE = 9,
  // The engine gave no answer for this frame or text. The model stays usable.
  GRAFT_ENGINE = 10,
  // A bug in the library, caught. The model of that call can only be closed.
  GRAFT_PANICKED = 11,
  // The bytes are no text: they are not UTF-8.
  GRAFT_TEXT = 12,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum graft_status graft_status;
#else
typedef int32_t graft_status;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// A model that was opened. One thread at a time may use it.
typedef struct graft_model graft_model;

// How the pixels of a frame are stored: one of GRAFT_RGB to GRAFT_NV12.
typedef uint32_t graft_format;

// One picture in memory, borrowed for the call. Begin with GRAFT_FRAME_INIT.
typedef struct graft_frame {
  // sizeof(graft_frame). Later versions may append fields; they know by this
  // which ones a program has.
  uint32_t size;
  // How pixels are stored.
  graft_format format;
  // In pixels, at least 1.
  uint32_t width;
  // In pixels, at least 1.
  uint32_t height;
  // Bytes from the start of a row to the start of the next.
  size_t stride;
  // The first byte of the first row. Rows go from the top.
  const uint8_t *data;
  // Bytes from the first to the last one of all rows, chroma included. The
  // last row may come without its padding. More is refused: the size or the
  // stride would be wrong.
  size_t length;
} graft_frame;

// What a model says of one picture or text. Begin with GRAFT_ANSWER_INIT.
typedef struct graft_answer {
  // sizeof(graft_answer).
  uint32_t size;
  // The index of the label that was decided on, or GRAFT_UNKNOWN if no
  // probability reaches the bundle's threshold, or the bundle knows no word of
  // the text.
  int32_t label;
  // The index of the most probable label, whatever was decided.
  uint32_t likeliest;
  // Its probability: 0 to 1, or NaN if the network is broken.
  float probability;
  // One for each label, with a sum of 1. They belong to the model and are
  // valid until the next call that is given it, graft_label() and
  // graft_describe() excepted.
  const float *probabilities;
  // How many: as many as there are labels.
  size_t count;
  // Words and marks of the text that were looked up; 0 of a picture.
  uint32_t tokens;
  // How many of them the bundle knows.
  uint32_t known;
} graft_answer;

// What a bundle says of itself. Begin with GRAFT_INFO_INIT.
typedef struct graft_info {
  // sizeof(graft_info).
  uint32_t size;
  // How many labels there are, at least 2.
  uint32_t labels;
  // Width of what the network sees, in pixels. Frames of that size need no
  // resizing. 0 if the bundle is about texts.
  uint32_t width;
  // Height of what the network sees, in pixels; 0 if the bundle is about texts.
  uint32_t height;
  // What logits are divided by before they become probabilities.
  float temperature;
  // An answer whose largest probability is below this is GRAFT_UNKNOWN; 0 if
  // there is always a label.
  float unknown_below;
  // The bundle's name; valid until graft_close(), as the two below.
  const char *name;
  // The form of the network that runs: "onnx" or "nnef".
  const char *form;
  // Which forms before it did not open here, and why; NULL if it is the first.
  // It is worth a warning: the bundle was made for another engine, and the
  // form that runs may need more time and memory to open.
  const char *refused;
  // The longest text in bytes, if the bundle is about texts; of a longer one the
  // rest is left out. 0 if it is about pictures.
  uint32_t max_text_bytes;
  // How many words it knows; 0 if it is about pictures.
  uint32_t words;
} graft_info;

// Three bytes a pixel: red, green, blue.
#define GRAFT_RGB 1

// Three bytes a pixel: blue, green, red.
#define GRAFT_BGR 2

// One byte a pixel.
#define GRAFT_GREY 3

// Y0 U Y1 V, four bytes for two pixels; also called YUY2. BT.601, limited
// range.
#define GRAFT_YUYV 4

// A plane of Y, one byte a pixel, then one of U V, two bytes for two by two
// pixels. Rows of both are `stride` bytes apart, and the second plane begins
// `stride * height` bytes after the first. BT.601, limited range.
#define GRAFT_NV12 5

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// The library's version as in GRAFT_VERSION, to compare the two.
//
// The text is static. It cannot fail.
const char *graft_version(void);

// What the last call on this thread that failed has to say: what is wrong,
// where, and what was expected. UTF-8 without a line end; "" if none failed.
//
// Calls that succeed leave it alone, so ask only after one that did not. The
// text is the library's and valid until the next call that fails on this
// thread, or the thread's end.
const char *graft_error(void);

// Opens a bundle that is a file.
//
// The file is read a block at a time and may go afterwards: the model keeps its own
// copy of the weights. It takes about the time of four answers.
//
// The words of a bundle about texts stay in the file, which is mapped until
// graft_close(), unless a key is demanded. Replace such a file by renaming another
// one over it: to write into it changes answers, and to cut it short kills the
// process.
//
// If `public_key` is not NULL, the bundle must be signed with it; that is
// checked before anything in the file is looked at. It is the content of
// minisign's .pub file, or its second line alone.
//
// On success `*model` is the caller's, to be given to graft_close(). On failure
// it is NULL: GRAFT_FILE, GRAFT_SIGNATURE, GRAFT_BUNDLE, GRAFT_NETWORK.
graft_status graft_open_file(const char *path,
                             const char *public_key,
                             struct graft_model **model);

// Opens a bundle that is in memory, as graft_open_file() does.
//
// The bytes must not change during the call and may go afterwards.
graft_status graft_open_memory(const uint8_t *bytes,
                               size_t length,
                               const char *public_key,
                               struct graft_model **model);

// Frees a model and all that belongs to it. NULL is allowed and does nothing.
//
// No other call may be using the model, and none may be given it afterwards.
void graft_close(struct graft_model *model);

// Checks that the bundle answers on this machine as it did on the host: replays
// its reference pictures or texts. It takes a few answers' time.
//
// Call it once, before the first picture or text. Until it has succeeded there are no
// answers, as there is no telling what they would be worth.
//
// On failure GRAFT_DIFFERS; graft_error() says which reference, by how much.
graft_status graft_verify(struct graft_model *model);

// Answers for a frame.
//
// The frame may have any size: it is fitted and resized as the bundle says. It
// must not change during the call and is not kept. After the first frame of a
// size and format the library allocates nothing of its own; the engine below it
// allocates its tensors anew for each frame.
//
// On failure `*answer` is as it was: GRAFT_FRAME, GRAFT_UNVERIFIED,
// GRAFT_ENGINE.
graft_status graft_predict(struct graft_model *model,
                           const struct graft_frame *frame,
                           struct graft_answer *answer);

// Answers for a picture file in memory: JPEG, PNG, BMP, GIF, TIFF or WebP, told
// apart by their first bytes; EXIF orientation is applied.
//
// Decoding allocates. A file of a few kilobytes can claim 100 million pixels,
// which take 300 MB and more: see graft_limit_pictures(). A library that was built
// without the feature "formats" reads JPEG and PNG alone.
//
// On failure `*answer` is as it was: GRAFT_PICTURE, GRAFT_UNVERIFIED,
// GRAFT_ENGINE.
graft_status graft_predict_picture(struct graft_model *model,
                                   const uint8_t *bytes,
                                   size_t length,
                                   struct graft_answer *answer);

// Answers for a text, with a bundle that is about texts.
//
// `text` is `length` bytes of UTF-8; no NUL need end them. They must not change
// during the call and are not kept. The answer is GRAFT_UNKNOWN if the bundle knows
// none of the words; `tokens` and `known` say how many it knows. The library
// allocates nothing of its own but room for the longest word yet; the tokenizer of a
// sentence encoder and the engine below it allocate anew for each text.
//
// On failure `*answer` is as it was: GRAFT_TEXT, GRAFT_UNVERIFIED, GRAFT_ENGINE, and
// GRAFT_MISUSE if the bundle is about pictures; so it is where a picture is given to
// a bundle about texts.
graft_status graft_predict_text(struct graft_model *model,
                                const char *text,
                                size_t length,
                                struct graft_answer *answer);

// Says how many pixels a picture file may claim to have, from now on: 1 to 100
// million, which is what holds until it is called. Decoding takes 3 to 16 bytes
// for each. A larger picture is GRAFT_PICTURE. Frames have the size that their
// buffer has, and are not limited.
//
// On failure the limit is as it was: GRAFT_MISUSE.
graft_status graft_limit_pictures(struct graft_model *model,
                                  uint64_t max_pixels);

// The name of a label: UTF-8 of 1 to 256 bytes, valid until graft_close().
//
// NULL if `index` is GRAFT_UNKNOWN or there is no such label. Any thread may
// ask at any time.
const char *graft_label(const struct graft_model *model, int32_t index);

// Says what is in the bundle: labels, sizes, thresholds. Any thread may ask at
// any time.
//
// On failure `*info` is as it was: GRAFT_MISUSE.
graft_status graft_describe(const struct graft_model *model,
                            struct graft_info *info);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* GRAFT_H */
