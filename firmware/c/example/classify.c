/* Says what is in a picture or a text.
 *
 *     classify BUNDLE PICTURE
 *     classify BUNDLE FILE FORMAT WIDTH HEIGHT [STRIDE]
 *     classify BUNDLE FILE text
 *
 * PICTURE is a JPEG, PNG or binary PPM file. FILE holds one raw frame, as a
 * camera writes it, in FORMAT rgb, bgr, grey, yuyv or nv12; or a text in UTF-8,
 * for a bundle that is about texts.
 *
 * Prints the label, or "unknown", and then each label with its probability.
 * Exit status: 0 a label, 1 unknown, 2 an error.
 *
 *     cc classify.c $(pkg-config --cflags --libs graft) -o classify
 */

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <graft.h>

enum { LABEL = 0, UNKNOWN = 1, FAILED = 2 };

struct file {
  unsigned char *bytes;
  size_t length;
};

static int read_file(const char *path, struct file *file) {
  size_t room = 1 << 16;
  FILE *stream = fopen(path, "rb");
  file->bytes = NULL;
  file->length = 0;
  if (stream == NULL) {
    fprintf(stderr, "classify: %s: %s\n", path, strerror(errno));
    return 0;
  }
  do {
    unsigned char *larger = realloc(file->bytes, room *= 2);
    if (larger == NULL) {
      break;
    }
    file->bytes = larger;
    file->length += fread(larger + file->length, 1, room - file->length, stream);
  } while (file->length == room);
  if (!feof(stream)) {
    fprintf(stderr, "classify: %s: %s\n", path, strerror(errno));
    fclose(stream);
    return 0;
  }
  fclose(stream);
  return 1;
}

/* A number of a PPM header, which comments may stand before. 0 if there is none. */
static uint32_t ppm_number(const struct file *file, size_t *at) {
  uint32_t number = 0;
  while (*at < file->length && (isspace(file->bytes[*at]) || file->bytes[*at] == '#')) {
    if (file->bytes[*at] == '#') {
      while (*at < file->length && file->bytes[*at] != '\n') {
        ++*at;
      }
    } else {
      ++*at;
    }
  }
  while (*at < file->length && isdigit(file->bytes[*at]) && number < 100000) {
    number = 10 * number + (uint32_t)(file->bytes[(*at)++] - '0');
  }
  return number;
}

static graft_frame ppm_frame(const struct file *file) {
  graft_frame frame = GRAFT_FRAME_INIT;
  size_t at = 2;
  frame.format = GRAFT_RGB;
  frame.width = ppm_number(file, &at);
  frame.height = ppm_number(file, &at);
  /* A wrong header needs no check of its own: the library knows how many bytes
   * a frame of this size has. 16-bit samples would be twice as many. */
  (void)ppm_number(file, &at);
  at = at < file->length ? at + 1 : at;
  frame.stride = 3 * (size_t)frame.width;
  frame.data = file->bytes + at;
  frame.length = file->length - at;
  return frame;
}

/* arguments: FORMAT WIDTH HEIGHT [STRIDE]. What is not a number becomes 0, which
 * the library refuses, and says so. */
static graft_frame raw_frame(const struct file *file, int count, char **arguments) {
  static const struct {
    const char *name;
    graft_format format;
    unsigned quarters; /* of a byte for each pixel of a row */
  } formats[] = {{"rgb", GRAFT_RGB, 12},
                 {"bgr", GRAFT_BGR, 12},
                 {"grey", GRAFT_GREY, 4},
                 {"yuyv", GRAFT_YUYV, 8},
                 {"nv12", GRAFT_NV12, 4}};
  graft_frame frame = GRAFT_FRAME_INIT;
  frame.width = (uint32_t)strtoul(arguments[1], NULL, 10);
  frame.height = (uint32_t)strtoul(arguments[2], NULL, 10);
  for (size_t i = 0; i < sizeof formats / sizeof *formats; ++i) {
    if (strcmp(arguments[0], formats[i].name) == 0) {
      frame.format = formats[i].format;
      frame.stride = (size_t)frame.width * formats[i].quarters / 4;
    }
  }
  if (count > 3) {
    frame.stride = strtoul(arguments[3], NULL, 10);
  }
  frame.data = file->bytes;
  frame.length = file->length;
  return frame;
}

static int answer_for(graft_model *model, const struct file *file, int count, char **arguments) {
  graft_answer answer = GRAFT_ANSWER_INIT;
  graft_status status;
  if (count >= 3) {
    graft_frame frame = raw_frame(file, count, arguments);
    status = graft_predict(model, &frame, &answer);
  } else if (count == 1) {
    status = graft_predict_text(model, (const char *)file->bytes, file->length, &answer);
  } else if (file->length > 2 && memcmp(file->bytes, "P6", 2) == 0) {
    graft_frame frame = ppm_frame(file);
    status = graft_predict(model, &frame, &answer);
  } else {
    status = graft_predict_picture(model, file->bytes, file->length, &answer);
  }
  if (status != GRAFT_OK) {
    fprintf(stderr, "classify: %s\n", graft_error());
    return FAILED;
  }
  puts(answer.label == GRAFT_UNKNOWN ? "unknown" : graft_label(model, answer.label));
  for (size_t i = 0; i < answer.count; ++i) {
    /* Nine digits tell any two floats apart. */
    printf("%.9g\t%s\n", (double)answer.probabilities[i], graft_label(model, (int32_t)i));
  }
  return answer.label == GRAFT_UNKNOWN ? UNKNOWN : LABEL;
}

int main(int argc, char **argv) {
  graft_model *model = NULL;
  struct file file = {NULL, 0};
  int result = FAILED;
  if (argc != 3 && argc != 6 && argc != 7 && !(argc == 4 && strcmp(argv[3], "text") == 0)) {
    fprintf(stderr, "usage: classify BUNDLE PICTURE\n"
                    "       classify BUNDLE FILE rgb|bgr|grey|yuyv|nv12 WIDTH HEIGHT [STRIDE]\n"
                    "       classify BUNDLE FILE text\n");
    return FAILED;
  }
  if (graft_open_file(argv[1], NULL, &model) != GRAFT_OK || graft_verify(model) != GRAFT_OK) {
    fprintf(stderr, "classify: %s: %s\n", argv[1], graft_error());
  } else if (read_file(argv[2], &file)) {
    result = answer_for(model, &file, argc - 3, argv + 3);
  }
  free(file.bytes);
  graft_close(model);
  return result;
}
