// graft.h in C++, without a warning.

#include <graft.h>

static_assert(sizeof(graft_status) == 4, "a status has 32 bits");

int main() {
  graft_model *model = nullptr;
  graft_frame frame = GRAFT_FRAME_INIT;
  graft_answer answer = GRAFT_ANSWER_INIT;
  graft_info info = GRAFT_INFO_INIT;
  bool refused = graft_predict(model, &frame, &answer) == GRAFT_MISUSE &&
                 graft_describe(model, &info) == GRAFT_MISUSE &&
                 graft_label(model, GRAFT_UNKNOWN) == nullptr;
  return refused ? 0 : 1;
}
