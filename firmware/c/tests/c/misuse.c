/* Breaks every rule of graft.h that a call can be told about, and expects to be
 * told. Arguments: see main. */

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <graft.h>

/* No holes, so no compiler can lay them out another way. */
_Static_assert(sizeof(graft_status) == 4, "a status has 32 bits");
_Static_assert(sizeof(graft_frame) == 16 + 3 * sizeof(void *), "graft_frame has holes");
_Static_assert(sizeof(graft_answer) == 24 + 2 * sizeof(void *), "graft_answer has holes");
_Static_assert(sizeof(graft_info) == 32 + 3 * sizeof(void *), "graft_info has holes");
_Static_assert(sizeof(size_t) == sizeof(void *), "size_t is as wide as a pointer");

static int checks, wrong;

static void check(const char *what, int line, int holds) {
  ++checks;
  if (!holds) {
    ++wrong;
    fprintf(stderr, "line %d: not so: %s\n", line, what);
  }
}

static void expect(const char *call, int line, graft_status wanted, const char *words,
                   graft_status found) {
  const char *text = found == GRAFT_OK ? "" : graft_error();
  ++checks;
  if (found != wanted || strstr(text, words) == NULL) {
    ++wrong;
    fprintf(stderr, "line %d: %s is %d \"%s\", not %d \"%s\"\n", line, call, (int)found, text,
            (int)wanted, words);
  }
}

#define CHECK(holds) check(#holds, __LINE__, holds)
#define EXPECT(wanted, words, call) expect(#call, __LINE__, wanted, words, call)

static unsigned char pixels[3 * 40 * 30];

static graft_frame grey_frame(void) {
  graft_frame frame = GRAFT_FRAME_INIT;
  frame.format = GRAFT_GREY;
  frame.width = 40;
  frame.height = 30;
  frame.stride = 40;
  frame.data = pixels;
  frame.length = 40 * 30;
  return frame;
}

static void opening(const char *tiny, const char *damaged, const char *missing) {
  static const char not_utf8[] = {(char)0xff, 0};
  graft_model *model = (graft_model *)pixels;
  EXPECT(GRAFT_MISUSE, "path is NULL", graft_open_file(NULL, NULL, &model));
  CHECK(model == NULL);
  EXPECT(GRAFT_MISUSE, "model is NULL", graft_open_file(tiny, NULL, NULL));
  EXPECT(GRAFT_FILE, missing, graft_open_file(missing, NULL, &model));
  EXPECT(GRAFT_FILE, "No such file", graft_open_file(missing, NULL, &model));
  EXPECT(GRAFT_FILE, "is not a file", graft_open_file("/", NULL, &model));
  EXPECT(GRAFT_FILE, "is not a file", graft_open_file("/dev/zero", NULL, &model));
  model = (graft_model *)pixels;
  EXPECT(GRAFT_BUNDLE, "does not match its digest", graft_open_file(damaged, NULL, &model));
  CHECK(model == NULL);
  EXPECT(GRAFT_MISUSE, "bytes is NULL", graft_open_memory(NULL, 5, NULL, &model));
  EXPECT(GRAFT_MISUSE, "more than memory", graft_open_memory(pixels, SIZE_MAX, NULL, &model));
  EXPECT(GRAFT_BUNDLE, "", graft_open_memory(pixels, 0, NULL, &model));
  EXPECT(GRAFT_BUNDLE, "", graft_open_memory(pixels, sizeof pixels, NULL, &model));
  EXPECT(GRAFT_MISUSE, "public_key is not UTF-8", graft_open_file(tiny, not_utf8, &model));
}

static void signatures(const char *tiny, const char *signed_bundle, const char *key,
                       const char *other) {
  graft_model *model;
  EXPECT(GRAFT_SIGNATURE, "not signed", graft_open_file(tiny, key, &model));
  EXPECT(GRAFT_SIGNATURE, "does not hold", graft_open_file(signed_bundle, other, &model));
  EXPECT(GRAFT_SIGNATURE, "public key", graft_open_file(signed_bundle, "no key", &model));
  CHECK(model == NULL);
  /* The signature holds, so it is looked into; it holds no network. */
  EXPECT(GRAFT_NETWORK, "", graft_open_file(signed_bundle, key, &model));
}

static void networks(const char *operator_bundle, const char *panicking, const char *differing) {
  graft_frame frame = grey_frame();
  graft_answer answer = GRAFT_ANSWER_INIT;
  graft_model *model;
  EXPECT(GRAFT_NETWORK, "MaxRoiPool", graft_open_file(operator_bundle, NULL, &model));
  EXPECT(GRAFT_NETWORK, "panicked", graft_open_file(panicking, NULL, &model));
  CHECK(model == NULL);
  EXPECT(GRAFT_OK, "", graft_open_file(differing, NULL, &model));
  EXPECT(GRAFT_DIFFERS, "reference 1", graft_verify(model));
  EXPECT(GRAFT_UNVERIFIED, "graft_verify()", graft_predict(model, &frame, &answer));
  graft_close(model);
}

/* A form that does not open is passed over, and its reason is kept. */
static void forms(const char *two_forms) {
  graft_info info = GRAFT_INFO_INIT;
  graft_model *model;
  EXPECT(GRAFT_OK, "", graft_open_file(two_forms, NULL, &model));
  EXPECT(GRAFT_OK, "", graft_verify(model));
  EXPECT(GRAFT_OK, "", graft_describe(model, &info));
  CHECK(strcmp(info.form, "onnx") == 0);
  CHECK(info.refused != NULL && strncmp(info.refused, "nnef: ", 6) == 0);
  graft_close(model);
}

static void frames(graft_model *model) {
  const graft_frame right = grey_frame();
  graft_frame frame = right;
  graft_answer answer = GRAFT_ANSWER_INIT;
  answer.label = 77;
  EXPECT(GRAFT_MISUSE, "model is NULL", graft_predict(NULL, &frame, &answer));
  EXPECT(GRAFT_MISUSE, "not aligned",
         graft_predict((graft_model *)((char *)model + 1), &frame, &answer));
  EXPECT(GRAFT_MISUSE, "frame is NULL", graft_predict(model, NULL, &answer));
  EXPECT(GRAFT_MISUSE, "answer is NULL", graft_predict(model, &frame, NULL));
  answer.size = 0;
  EXPECT(GRAFT_MISUSE, "GRAFT_ANSWER_INIT", graft_predict(model, &frame, &answer));
  answer.size = sizeof answer;
  frame.size = 0;
  EXPECT(GRAFT_MISUSE, "GRAFT_FRAME_INIT", graft_predict(model, &frame, &answer));
  frame = right;
  frame.size += 8;
  EXPECT(GRAFT_MISUSE, "graft_frame.size", graft_predict(model, &frame, &answer));
  frame = right;
  frame.format = 0;
  EXPECT(GRAFT_MISUSE, "graft_frame.format is 0", graft_predict(model, &frame, &answer));
  frame.format = GRAFT_NV12 + 1;
  EXPECT(GRAFT_MISUSE, "graft_frame.format is 6", graft_predict(model, &frame, &answer));
  frame = right;
  frame.data = NULL;
  EXPECT(GRAFT_MISUSE, "graft_frame.data is NULL", graft_predict(model, &frame, &answer));
  frame = right;
  frame.length = SIZE_MAX;
  EXPECT(GRAFT_MISUSE, "more than memory", graft_predict(model, &frame, &answer));
  frame = right;
  frame.width = 0;
  EXPECT(GRAFT_FRAME, "no pixels", graft_predict(model, &frame, &answer));
  frame = right;
  frame.stride = 39;
  EXPECT(GRAFT_FRAME, "stride is 39", graft_predict(model, &frame, &answer));
  frame = right;
  frame.length -= 1;
  EXPECT(GRAFT_FRAME, "got 1199", graft_predict(model, &frame, &answer));
  frame = right;
  frame.length += 1;
  EXPECT(GRAFT_FRAME, "got 1201", graft_predict(model, &frame, &answer));
  frame = right;
  frame.width = frame.height = UINT32_MAX;
  frame.stride = SIZE_MAX;
  EXPECT(GRAFT_FRAME, "", graft_predict(model, &frame, &answer));
  EXPECT(GRAFT_PICTURE, "", graft_predict_picture(model, pixels, sizeof pixels, &answer));
  EXPECT(GRAFT_PICTURE, "empty", graft_predict_picture(model, pixels, 0, &answer));
  EXPECT(GRAFT_MISUSE, "bytes is NULL", graft_predict_picture(model, NULL, 9, &answer));
  EXPECT(GRAFT_MISUSE, "max_pixels is 0", graft_limit_pictures(model, 0));
  EXPECT(GRAFT_MISUSE, "must be 1 to 100000000", graft_limit_pictures(model, 100000001));
  EXPECT(GRAFT_MISUSE, "model is NULL", graft_limit_pictures(NULL, 1));
  /* Failures left the answer alone, and the model usable. */
  CHECK(answer.label == 77 && answer.probabilities == NULL);
  frame = right;
  EXPECT(GRAFT_OK, "", graft_predict(model, &frame, &answer));
  CHECK(answer.label >= -1 && answer.label < 4 && answer.count == 4);
  CHECK(answer.probability == answer.probabilities[answer.likeliest]);
}

static void asking(graft_model *model) {
  graft_info info = GRAFT_INFO_INIT;
  CHECK(graft_label(NULL, 0) == NULL);
  CHECK(strcmp(graft_error(), "model is NULL") == 0);
  CHECK(graft_label(model, GRAFT_UNKNOWN) == NULL);
  CHECK(graft_label(model, 4) == NULL);
  CHECK(graft_label(model, INT32_MIN) == NULL);
  CHECK(graft_label(model, 3) != NULL && strlen(graft_label(model, 3)) > 0);
  EXPECT(GRAFT_MISUSE, "info is NULL", graft_describe(model, NULL));
  EXPECT(GRAFT_MISUSE, "model is NULL", graft_describe(NULL, &info));
  info.size = 3;
  EXPECT(GRAFT_MISUSE, "GRAFT_INFO_INIT", graft_describe(model, &info));
  info.size = sizeof info;
  EXPECT(GRAFT_OK, "", graft_describe(model, &info));
  CHECK(info.labels == 4 && info.width == 32 && info.height == 32);
  CHECK(info.temperature > 0 && info.unknown_below >= 0 && info.unknown_below <= 1);
  CHECK(strcmp(info.name, "tiny") == 0);
  CHECK(strcmp(info.form, "onnx") == 0 && info.refused == NULL);
}

struct task {
  const char *bundle;
  float probabilities[4];
  int failed;
};

/* Opens, asks a hundred times and expects the same answer each time. */
static void *work(void *argument) {
  struct task *task = argument;
  graft_frame frame = grey_frame();
  graft_answer answer = GRAFT_ANSWER_INIT;
  graft_model *model = NULL;
  task->failed = strcmp(graft_error(), "") != 0;
  if (graft_open_file(task->bundle, NULL, &model) != GRAFT_OK || graft_verify(model) != GRAFT_OK) {
    task->failed = 1;
    return NULL;
  }
  for (int i = 0; i < 100; ++i) {
    if (graft_predict(model, &frame, &answer) != GRAFT_OK || answer.count != 4 ||
        (i > 0 && memcmp(task->probabilities, answer.probabilities, 4 * sizeof(float)) != 0)) {
      task->failed = 1;
      break;
    }
    memcpy(task->probabilities, answer.probabilities, 4 * sizeof(float));
  }
  graft_close(model);
  return NULL;
}

static void threads(const char *tiny) {
  struct task tasks[2] = {{tiny, {0}, 0}, {tiny, {0}, 0}};
  pthread_t running[2];
  for (int i = 0; i < 2; ++i) {
    CHECK(pthread_create(&running[i], NULL, work, &tasks[i]) == 0);
  }
  for (int i = 0; i < 2; ++i) {
    CHECK(pthread_join(running[i], NULL) == 0);
    CHECK(!tasks[i].failed);
  }
  CHECK(memcmp(tasks[0].probabilities, tasks[1].probabilities, 4 * sizeof(float)) == 0);
}

static void texts(graft_model *pictures, const char *words) {
  static const char storm[] = "The storm wasn't cold.";
  static const char not_utf8[] = {'r', 'a', 'i', 'n', ' ', (char)0xff};
  graft_model *model = NULL;
  graft_frame frame = grey_frame();
  graft_answer answer = GRAFT_ANSWER_INIT;
  graft_info info = GRAFT_INFO_INIT;
  size_t length = sizeof storm - 1;
  EXPECT(GRAFT_OK, "", graft_open_file(words, NULL, &model));
  if (model == NULL) {
    return;
  }
  EXPECT(GRAFT_UNVERIFIED, "graft_verify()", graft_predict_text(model, storm, length, &answer));
  EXPECT(GRAFT_OK, "", graft_verify(model));
  answer.label = 77;
  EXPECT(GRAFT_MISUSE, "model is NULL", graft_predict_text(NULL, storm, length, &answer));
  EXPECT(GRAFT_MISUSE, "text is NULL", graft_predict_text(model, NULL, 0, &answer));
  EXPECT(GRAFT_MISUSE, "answer is NULL", graft_predict_text(model, storm, length, NULL));
  EXPECT(GRAFT_MISUSE, "more than memory", graft_predict_text(model, storm, SIZE_MAX, &answer));
  EXPECT(GRAFT_TEXT, "index 5", graft_predict_text(model, not_utf8, sizeof not_utf8, &answer));
  EXPECT(GRAFT_MISUSE, "this is a picture", graft_predict(model, &frame, &answer));
  EXPECT(GRAFT_MISUSE, "this is a picture", graft_predict_picture(model, pixels, 9, &answer));
  EXPECT(GRAFT_MISUSE, "this is a text", graft_predict_text(pictures, storm, length, &answer));
  CHECK(answer.label == 77 && answer.probabilities == NULL);
  EXPECT(GRAFT_OK, "", graft_predict_text(model, storm, length, &answer));
  CHECK(strcmp(graft_label(model, answer.label), "weather") == 0);
  CHECK(answer.tokens == 6 && answer.known == 6 && answer.count == 4);
  /* Without its last letters it is another word, and the NUL is none. */
  EXPECT(GRAFT_OK, "", graft_predict_text(model, storm, 6, &answer));
  CHECK(answer.tokens == 2 && answer.known == 1);
  EXPECT(GRAFT_OK, "", graft_predict_text(model, storm, 0, &answer));
  CHECK(answer.label == GRAFT_UNKNOWN && answer.tokens == 0 && answer.known == 0);
  EXPECT(GRAFT_OK, "", graft_describe(model, &info));
  CHECK(info.max_text_bytes == 4096 && info.words == 56 && info.width == 0 && info.height == 0);
  info.max_text_bytes = 1;
  EXPECT(GRAFT_OK, "", graft_describe(pictures, &info));
  CHECK(info.max_text_bytes == 0 && info.words == 0);
  graft_close(model);
}

int main(int argc, char **argv) {
  graft_model *model = NULL;
  graft_frame frame = grey_frame();
  graft_answer answer = GRAFT_ANSWER_INIT;
  if (argc != 12) {
    fprintf(stderr, "misuse TINY DAMAGED MISSING SIGNED KEY OTHER OPERATOR PANICKING DIFFERING FORMS WORDS\n");
    return 2;
  }
  for (size_t i = 0; i < sizeof pixels; ++i) {
    pixels[i] = (unsigned char)(i * 7);
  }
  CHECK(strcmp(graft_version(), GRAFT_VERSION) == 0);
  CHECK(strcmp(graft_error(), "") == 0);
  opening(argv[1], argv[2], argv[3]);
  signatures(argv[1], argv[4], argv[5], argv[6]);
  networks(argv[7], argv[8], argv[9]);
  forms(argv[10]);
  EXPECT(GRAFT_MISUSE, "model is NULL", graft_verify(NULL));
  EXPECT(GRAFT_OK, "", graft_open_file(argv[1], NULL, &model));
  if (model != NULL) {
    EXPECT(GRAFT_UNVERIFIED, "graft_verify()", graft_predict(model, &frame, &answer));
    EXPECT(GRAFT_UNVERIFIED, "graft_verify()", graft_predict_picture(model, pixels, 9, &answer));
    EXPECT(GRAFT_OK, "", graft_verify(model));
    frames(model);
    asking(model);
    texts(model, argv[11]);
  }
  graft_close(model);
  graft_close(NULL);
  threads(argv[1]);
  printf("%d checks, %d wrong\n", checks, wrong);
  return wrong != 0;
}
