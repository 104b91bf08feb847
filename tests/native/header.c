/* The header is C99, may be included twice, and serves a C program: make a device, fill a tensor,
 * read it back. */
#include <stdio.h>

#include "gatun.h"

#define CHECK(call)                                                \
  do {                                                             \
    if ((call) != GT_OK) {                                         \
      fprintf(stderr, "%s: %s\n", #call, gt_last_error_message()); \
      return 1;                                                    \
    }                                                              \
  } while (0)

int main(void) {
  const int64_t dims[2] = {3, 5};
  float values[15];
  gt_device device;
  gt_buffer buffer;
  gt_tensor tensor;
  gt_stream stream;
  int i;

  if (gt_abi_version() != GT_ABI_VERSION) return 1;
  CHECK(gt_device_create(&device, GT_DEVICE_CPU, 0, 1));
  CHECK(gt_buffer_create(&buffer, device, (int64_t)sizeof(values), GT_MEMORY_DEVICE));
  CHECK(gt_tensor_create(&tensor, buffer, 0, GT_F32, 2, dims));
  CHECK(gt_stream_create(&stream, device));
  CHECK(gt_fill(stream, tensor, 0.5));
  CHECK(gt_stream_synchronize(stream));
  CHECK(gt_buffer_read(buffer, 0, values, (int64_t)sizeof(values)));
  for (i = 0; i < 15; ++i) {
    if (values[i] != 0.5f) return 1;
  }
  if (gt_fill(stream, NULL, 0.5) != GT_INVALID_ARGUMENT) return 1;
  gt_device_destroy(device);
  gt_buffer_destroy(buffer);
  gt_tensor_destroy(tensor);
  gt_stream_destroy(stream);
  gt_stream_destroy(NULL);
  return 0;
}
