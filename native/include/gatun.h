/* Gatun's C ABI: devices, memory, streams, programs, and the instruction set.
 *
 * Ownership. Every handle written to an `out` belongs to the caller and is destroyed exactly once; `*_destroy(NULL)` does
 *   nothing. Inputs are borrowed for the call. A tensor keeps its buffer's memory alive, a program keeps the memory of all
 *   tensors it was recorded with, and everything keeps its device alive: the order of destruction does not matter.
 * Threads. A device, a buffer and a tensor may be used from any thread. Calls on one stream or one program are serialised
 *   inside; work of several streams on one CPU device takes turns on the device's thread pool.
 * Errors. Every function returns a gt_status, save the destroyers and the two queries at the top. On failure nothing is
 *   written to `out`, and gt_last_error_message() holds the reason for the calling thread until its next failing call.
 * Instructions. Outputs come first, then inputs, then attributes. They run at once, or are kept if the stream is recording.
 *   Tensors are dense and row-major (channels-last). `real` means f32 or f64, `floating` f32, f64 or bf16; all such tensors
 *   of one instruction share their dtype, save that those marked `wide` are f32 beside bf16. Instructions on bf16 compute in
 *   f32 and round once. Tensors marked nullable may be NULL. Shapes are checked before anything is written.
 *   An output may be the same memory as an input only where the contract says "in place"; other overlap is refused.
 * Determinism. The same inputs give the same bits on a device for every number of threads.
 */
#pragma once

#include <stdint.h>

#if defined(_WIN32)
#define GT_API __declspec(dllexport)
#else
#define GT_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Raised whenever a function, constant or layout below changes meaning. */
#define GT_ABI_VERSION 1

/* ---- Status and errors ------------------------------------------------------------------------------------------- */

typedef int32_t gt_status;
#define GT_OK 0
#define GT_INVALID_ARGUMENT 1 /* the caller's mistake: a shape, a dtype, a range, a NULL */
#define GT_OUT_OF_MEMORY 2
#define GT_UNSUPPORTED 3    /* right in itself, but not on this device or in this build */
#define GT_DEVICE_FAILURE 4 /* the device is unusable from now on */
#define GT_INTERNAL 5       /* a bug of Gatun */

GT_API int32_t gt_abi_version(void);
/* UTF-8 text of the calling thread's last failure, never NULL: `[op] what was wrong, with the values`. */
GT_API const char* gt_last_error_message(void);

/* ---- Devices ----------------------------------------------------------------------------------------------------- */

typedef struct gt_device_s* gt_device;
typedef struct gt_buffer_s* gt_buffer;
typedef struct gt_tensor_s* gt_tensor;
typedef struct gt_stream_s* gt_stream;
typedef struct gt_program_s* gt_program;

#define GT_DEVICE_CPU 0
#define GT_DEVICE_CUDA 1 /* by libgatun_cuda: the file that the variable GATUN_CUDA_LIBRARY or gt_cuda_library_locate names, else
                          * the one beside this library */

/* Where libgatun_cuda is, as a path in UTF-8, unless the variable GATUN_CUDA_LIBRARY names it; "" for beside this library. To be
 * told before a CUDA device is first asked for, in this process: it is looked for once. */
GT_API gt_status gt_cuda_library_locate(const char* path);
/* How many devices of a kind there are to choose from: 0 without the library, a driver or a GPU. */
GT_API gt_status gt_device_count(int32_t* out_count, int32_t kind);
/* threads: workers of a CPU device, the calling thread included; 0 takes all processors this process may use. Without such
 * a device: GT_UNSUPPORTED, and the message has the reason. */
GT_API gt_status gt_device_create(gt_device* out, int32_t kind, int32_t index, int32_t threads);
GT_API void gt_device_destroy(gt_device device);
/* Writes a description such as "cpu, 2 threads, AVX3_ZEN4" as UTF-8 with a closing NUL, cut to `capacity` bytes. */
GT_API gt_status gt_device_describe(gt_device device, char* out, int64_t capacity);
/* The SIMD level in use may be lowered for tests: "SSE4", "AVX2", "AVX3", "EMU128"..., or "" for the best. Process-wide. */
GT_API gt_status gt_simd_level_limit(const char* level);
/* Bytes held now, the most ever held, and how many native allocations the device has made since it was created. */
GT_API gt_status gt_device_memory(gt_device device, int64_t* out_bytes, int64_t* out_peak_bytes, int64_t* out_allocations);

/* ---- Buffers and tensors ----------------------------------------------------------------------------------------- */

#define GT_F32 0
#define GT_F64 1
#define GT_I32 2
#define GT_I64 3
#define GT_U8 4
#define GT_BF16 5 /* the upper half of an f32; rounding is to nearest, ties to even */

#define GT_MAX_RANK 8

#define GT_MEMORY_DEVICE 0  /* for kernels */
#define GT_MEMORY_STAGING 1 /* mapped into the host's address space, for batches and scalars that Java writes and reads */

/* Zeroed, aligned to 64 bytes (to 2 MiB when it is at least that large). bytes >= 0. */
GT_API gt_status gt_buffer_create(gt_buffer* out, gt_device device, int64_t bytes, int32_t memory_kind);
GT_API void gt_buffer_destroy(gt_buffer buffer);
/* The host address of staging memory (of any memory of a CPU device; of no other on CUDA: GT_UNSUPPORTED); valid until the
 * buffer is destroyed. Staging memory may be looked at when an instruction or a program that uses it has returned, frames when the
 * program was waited for. */
GT_API gt_status gt_buffer_map(void** out, gt_buffer buffer);
GT_API gt_status gt_buffer_read(gt_buffer buffer, int64_t offset, void* out, int64_t bytes);
GT_API gt_status gt_buffer_write(gt_buffer buffer, int64_t offset, const void* source, int64_t bytes);

/* A dense view of `buffer` from `byte_offset`, a multiple of the element size. rank 0 is a scalar; dims may hold zeros. */
GT_API gt_status gt_tensor_create(gt_tensor* out, gt_buffer buffer, int64_t byte_offset, int32_t dtype, int32_t rank,
                                  const int64_t* dims);
GT_API void gt_tensor_destroy(gt_tensor tensor);

/* ---- Streams and programs ---------------------------------------------------------------------------------------- */

GT_API gt_status gt_stream_create(gt_stream* out, gt_device device);
GT_API void gt_stream_destroy(gt_stream stream);
/* Waits until everything issued on the stream is done. */
GT_API gt_status gt_stream_synchronize(gt_stream stream);
/* From here to the end, instructions are checked and kept, not run. */
GT_API gt_status gt_stream_begin_recording(gt_stream stream);
GT_API gt_status gt_stream_end_recording(gt_program* out, gt_stream stream);
/* While the stream records: `tensor` changes seldom, so what instructions from here on derive from it, such as weights packed
 * for a product, may be kept from one run of the program to the next. No instruction of the program writes it. */
GT_API gt_status gt_stream_hold(gt_stream stream, gt_tensor tensor);

#define GT_PRODUCTS_F32 0  /* as the instructions say */
#define GT_PRODUCTS_TF32 1 /* f32 is multiplied in tf32, where the device has units for that */
/* How instructions from here on compute products of f32: matrix products, convolutions (not of single channels) and the weight
 * gradients of recurrent layers. In tf32 each factor is rounded to 11 significant bits, to nearest, ties away from 0; sums are
 * f32. A stream begins with GT_PRODUCTS_F32; a program has what was set when each instruction was recorded. CPU devices
 * compute in f32 either way. */
GT_API gt_status gt_stream_set_products(gt_stream stream, int32_t products);
/* While the stream records, before its first instruction: the program can run on one *frame* of several after the other. Its operands
 * may lie in `current`, device memory. `frames` is staging memory of n times that size, where no operand lies: n frames. A run of
 * a frame takes what the program reads of `current` from the same places of the frame, and leaves there what it writes to `current`. */
GT_API gt_status gt_stream_set_frames(gt_stream stream, gt_buffer current, gt_buffer frames);
/* Runs the kept instructions in order and waits for them. Allocates nothing. */
GT_API gt_status gt_program_run(gt_program program);
/* Begins to copy the frames first .. first + count - 1 to the device, beside what it computes. The host leaves them alone until they have
 * run and were waited for, or feeds them anew. Frames that run now are refused. Allocates nothing. */
GT_API gt_status gt_program_feed(gt_program program, int64_t first, int64_t count);
/* Begins to run the program `count` times, once on each of the frames first .. first + count - 1, in this order; all have been fed
 * since they ran last. The program then neither starts nor runs before it was waited for. On a CPU device all is done when this
 * returns. Allocates nothing. */
GT_API gt_status gt_program_start(gt_program program, int64_t first, int64_t count);
/* Waits until what was started is done; returns at once if nothing was. Allocates nothing. */
GT_API gt_status gt_program_wait(gt_program program);
/* To be called when a held tensor has changed: the next run derives anew what the program keeps. */
GT_API gt_status gt_program_refresh(gt_program program);
GT_API gt_status gt_program_instructions(gt_program program, int64_t* out_count);
GT_API void gt_program_destroy(gt_program program);

/* ---- Instructions: movement -------------------------------------------------------------------------------------- */

/* y[...] = value. Any dtype; the value is converted to it. */
GT_API gt_status gt_fill(gt_stream stream, gt_tensor y, double value);
/* y[...] = x[...] in row-major order: equal element counts, shapes may differ, dtypes are converted (to integers: toward
 * zero, saturating; to bf16 by way of f32). In place if the dtypes are equal. */
GT_API gt_status gt_copy(gt_stream stream, gt_tensor y, gt_tensor x);
/* y.dims[i] = x.dims[axes[i]]; axes is a permutation of 0..rank-1. Any dtype. */
GT_API gt_status gt_permute(gt_stream stream, gt_tensor y, gt_tensor x, const int32_t* axes, int32_t rank);
/* y = the elements begin .. begin + y.dims[axis] - 1 of x along `axis`, 0 to rank - 1; the other extents are equal. Any dtype. */
GT_API gt_status gt_slice(gt_stream stream, gt_tensor y, gt_tensor x, int32_t axis, int64_t begin);

#define GT_CONCAT_MAX_INPUTS 32

/* The inputs, one or more, one after the other along `axis`, 0 to rank - 1, from `begin` on; y is 0 before them and, where it is
 * longer, behind them. The other extents are equal, the inputs' dtypes y's, any. Inputs may be, or share memory with, each other. */
GT_API gt_status gt_concat(gt_stream stream, gt_tensor y, const gt_tensor* inputs, int32_t input_count, int32_t axis,
                           int64_t begin);
/* The parameter-free ("option A") residual shortcut: y[n,h,w,k] = k < C ? x[n, s*h, s*w, k] : 0, floating.
 * x [N,H,W,C], y [N, ceil(H/s), ceil(W/s), K], K >= C. */
GT_API gt_status gt_subsample_pad(gt_stream stream, gt_tensor y, gt_tensor x, int32_t stride);
/* The transpose of the former: dx [N,H,W,C] from dy [N, ceil(H/s), ceil(W/s), K]. */
GT_API gt_status gt_subsample_pad_backward(gt_stream stream, gt_tensor dx, gt_tensor dy, int32_t stride);

/* y [N,W] = the rows of table [V,W] that indices (i32) [N] name, real. A negative index gives zeros, one of V or more NaN. */
GT_API gt_status gt_gather_rows(gt_stream stream, gt_tensor y, gt_tensor table, gt_tensor indices);
/* The transpose: dtable [V,W] = the sum of the rows of dy [N,W] that name each row, in their order; indices outside count for
 * nothing. */
GT_API gt_status gt_scatter_add_rows(gt_stream stream, gt_tensor dtable, gt_tensor dy, gt_tensor indices);

/* A batch y [N,H,W,C], floating, from the pictures (u8) [V,P,Q,C] of a data set that indices (i32) [N] name, zeros for an index
 * outside; values (f32) [C,256] is what each byte of a channel becomes. A picture gets `pad` zero bytes on all sides; with `crop`
 * a window H x W of it at a random place is taken, else H = P + 2 pad and W = Q + 2 pad; with `flip` left and right are exchanged
 * for half of the pictures; with cutout > 0 the bytes of a square of that side become `grey`, 0 to 255. H, W >= 1; P + 2 pad and
 * Q + 2 pad are at most 2^24.
 * Random numbers are the words, from index 0 and low word first, of Philox4x32-10 with key `seed` and stream
 * (epoch << 32) | index, in this order: crop: top below(P + 2 pad - H + 1), left below(W's); flip: exchanged iff the upper bit is
 * 0; cutout: the square begins at row below(H) - cutout / 2, column below(W) - cutout / 2. below(n) is the upper half of word n,
 * the word being drawn anew while the lower half is less than 2^32 mod n. epoch (i64 scalar) is read when the instruction runs. */
GT_API gt_status gt_gather_pictures(gt_stream stream, gt_tensor y, gt_tensor pictures, gt_tensor indices, gt_tensor values,
                                    gt_tensor epoch, int32_t pad, int32_t crop, int32_t flip, int32_t cutout, int32_t grey,
                                    int64_t seed);

/* ---- Instructions: elementwise and reductions -------------------------------------------------------------------- */

#define GT_UNARY_NEGATE 0
#define GT_UNARY_ABS 1
#define GT_UNARY_SQUARE 2
#define GT_UNARY_SQRT 3
#define GT_UNARY_EXP 4
#define GT_UNARY_LOG 5
#define GT_UNARY_RELU 6 /* max(x, 0); NaN stays NaN */
#define GT_UNARY_SIGMOID 7
#define GT_UNARY_TANH 8
#define GT_UNARY_SIGN 9 /* -1, 0, 1; NaN stays NaN */

/* y = op(x), floating, equal shapes. In place. */
GT_API gt_status gt_unary(gt_stream stream, gt_tensor y, gt_tensor x, int32_t op);

#define GT_BINARY_ADD 0
#define GT_BINARY_SUBTRACT 1
#define GT_BINARY_MULTIPLY 2
#define GT_BINARY_DIVIDE 3
#define GT_BINARY_MAXIMUM 4
#define GT_BINARY_MINIMUM 5
#define GT_BINARY_GATE 6 /* b > 0 ? a : 0; the gradient of ReLU with a = dy, b = y */

/* y = op(a, b), floating, NumPy broadcasting of a and b to y's shape. In place with an operand of y's shape. */
GT_API gt_status gt_binary(gt_stream stream, gt_tensor y, gt_tensor a, gt_tensor b, int32_t op);
/* Activations with s(x) = 1 / (1 + exp(-x)) and Phi the normal distribution. Their limits at infinity are their values
 * there; NaN stays NaN. `parameter` is the slope, or alpha; functions without one ignore it. */
#define GT_ACTIVATE_LEAKY_RELU 0 /* x > 0 ? x : slope x; derivative at 0: slope */
#define GT_ACTIVATE_ELU 1        /* x > 0 ? x : alpha (exp(x) - 1); derivative at 0: alpha */
#define GT_ACTIVATE_GELU 2       /* x Phi(x) */
#define GT_ACTIVATE_GELU_TANH 3  /* x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2 */
#define GT_ACTIVATE_SILU 4       /* x s(x) */
#define GT_ACTIVATE_SOFTPLUS 5   /* log(1 + exp(x)) */

/* y = f(x), floating, equal shapes, parameter finite. In place. */
GT_API gt_status gt_activate(gt_stream stream, gt_tensor y, gt_tensor x, int32_t function, double parameter);
/* dx = dy f'(x), floating, equal shapes. In place with dy or x. */
GT_API gt_status gt_activate_backward(gt_stream stream, gt_tensor dx, gt_tensor dy, gt_tensor x, int32_t function,
                                      double parameter);
/* y = scale * x + shift, floating, equal shapes. In place. */
GT_API gt_status gt_affine(gt_stream stream, gt_tensor y, gt_tensor x, double scale, double shift);

#define GT_ELEMENTWISE_MAX_INPUTS 8
#define GT_ELEMENTWISE_MAX_STEPS 16

#define GT_STEP_UNARY 0
#define GT_STEP_BINARY 1
#define GT_STEP_AFFINE 2

/* Values are numbered: the inputs first, then the result of each step. a and b name values that exist before the step. */
typedef struct gt_step {
  int32_t kind;
  int32_t op;   /* GT_UNARY_... or GT_BINARY_...; 0 in an affine step */
  int32_t a, b; /* b is 0 where there is one operand */
  double scale, shift;
} gt_step;

/* y = the last step's value, floating, NumPy broadcasting of the inputs to y's shape: the very bits that gt_unary,
 * gt_binary and gt_affine would give one after the other, each on y's shape, without storing what lies between. In place
 * with inputs of y's shape. */
GT_API gt_status gt_elementwise(gt_stream stream, gt_tensor y, const gt_tensor* inputs, int32_t input_count,
                                const gt_step* steps, int32_t step_count);

#define GT_REDUCE_SUM 0
#define GT_REDUCE_MEAN 1
#define GT_REDUCE_MAX 2

/* Bit i of `axes` reduces axis i; y has x's rank with 1 on reduced axes. Real. Empty reductions: sum 0, mean NaN, max
 * refused. */
GT_API gt_status gt_reduce(gt_stream stream, gt_tensor y, gt_tensor x, int32_t op, uint32_t axes);
/* y (i32) [...,1] = index of the first greatest element of x's last axis, which is not empty. */
GT_API gt_status gt_argmax(gt_stream stream, gt_tensor y, gt_tensor x);

/* ---- Instructions: matrix product and convolution ---------------------------------------------------------------- */

#define GT_ACTIVATION_NONE 0
#define GT_ACTIVATION_RELU 1

/* y [M,N] = activation(A B + bias), floating; A = transpose_a ? a^T : a [M,K], B = transpose_b ? b^T : b [K,N],
 * bias [N] nullable. */
GT_API gt_status gt_matmul(gt_stream stream, gt_tensor y, gt_tensor a, gt_tensor b, gt_tensor bias, int32_t transpose_a,
                           int32_t transpose_b, int32_t activation);

/* How a convolution is computed. */
#define GT_CONV_AUTO 0   /* as is fastest for the shape */
#define GT_CONV_DIRECT 1 /* by the sum of products that defines it */
/* By minimal filtering of 4x4 tiles, F(4x4,3x3): f32, 3x3 kernels at stride 1, no dilation, no groups. Rounding errors are some seven times
 * those of the sum of products: in units of the result's root mean square the worst element is off by about 3e-5 with 16
 * channels, 1e-4 with 512; weight gradients by 4e-5. */
#define GT_CONV_WINOGRAD 2

/* Cross-correlation, floating; real with moments or residual. y [N,P,Q,K] = activation(x [N,H,W,C] * w [K,R,S,C/groups] +
 * bias [K] + residual [N,P,Q,K]), bias and residual nullable. Window (p, q) sees the rows p stride_h - pad_top +
 * r dilation_h of x, zeros outside it: P = (H + pad_top + pad_bottom - (R - 1) dilation_h - 1) / stride_h + 1 (floor),
 * columns alike. groups >= 1 divides C and K; filter k sees the channels of group k / (K / groups). Dilation, strides >= 1.
 * moments [2,K] nullable: mean and variance (divided by the count N P Q >= 1) of y per channel. */
GT_API gt_status gt_conv2d(gt_stream stream, gt_tensor y, gt_tensor moments, gt_tensor x, gt_tensor w, gt_tensor bias,
                           gt_tensor residual, int32_t stride_h, int32_t stride_w, int32_t pad_top, int32_t pad_left,
                           int32_t pad_bottom, int32_t pad_right, int32_t dilation_h, int32_t dilation_w, int32_t groups,
                           int32_t activation, int32_t algorithm);
/* dx [N,H,W,C] = gate > 0 ? g + addend : 0, g from dy [N,P,Q,K] and w [K,R,S,C/groups]; addend, gate [N,H,W,C] nullable,
 * real. sums [2,C] nullable: sum dx and sum dx (norm_x - norm_mean) per channel, norm_x [N,H,W,C] and norm_mean [C], which
 * are NULL without sums. */
GT_API gt_status gt_conv2d_backward_data(gt_stream stream, gt_tensor dx, gt_tensor sums, gt_tensor dy, gt_tensor w,
                                         gt_tensor addend, gt_tensor gate, gt_tensor norm_x, gt_tensor norm_mean,
                                         int32_t stride_h, int32_t stride_w, int32_t pad_top, int32_t pad_left,
                                         int32_t pad_bottom, int32_t pad_right, int32_t dilation_h, int32_t dilation_w,
                                         int32_t groups, int32_t algorithm);
/* dw [K,R,S,C/groups] (wide) from x [N,H,W,C] and dy [N,P,Q,K]. */
GT_API gt_status gt_conv2d_backward_weights(gt_stream stream, gt_tensor dw, gt_tensor x, gt_tensor dy, int32_t stride_h,
                                            int32_t stride_w, int32_t pad_top, int32_t pad_left, int32_t pad_bottom,
                                            int32_t pad_right, int32_t dilation_h, int32_t dilation_w, int32_t groups,
                                            int32_t algorithm);

/* ---- Instructions: normalisation --------------------------------------------------------------------------------- */

/* Batch normalisation over all axes but the last, floating. x, y, residual [...,C]; everything else [C], wide.
 *   mean, variance: of the batch (variance divided by the count m); inv_std = 1 / sqrt(variance + epsilon)
 *   y = activation(gamma (x - mean) inv_std + beta + residual)
 *   new_running_mean = (1 - momentum) running_mean + momentum mean
 *   new_running_variance = (1 - momentum) running_variance + momentum variance m / (m - 1)      (unbiased, as PyTorch)
 * residual nullable. moments [2,C] nullable: mean and variance of x, as gt_conv2d gives them. m >= 2, epsilon >= 0,
 * 0 <= momentum <= 1. In place for the running estimates. */
GT_API gt_status gt_batch_norm_training(gt_stream stream, gt_tensor y, gt_tensor mean, gt_tensor inv_std,
                                        gt_tensor new_running_mean, gt_tensor new_running_variance, gt_tensor x,
                                        gt_tensor gamma, gt_tensor beta, gt_tensor residual, gt_tensor moments,
                                        gt_tensor running_mean, gt_tensor running_variance, double momentum,
                                        double epsilon, int32_t activation);
/* With g = activation is ReLU ? (y > 0 ? dy : 0) : dy, and xhat = (x - mean) inv_std:
 *   dgamma = sum g xhat, dbeta = sum g, dx = gamma inv_std (g - (dbeta + xhat dgamma) / m), dresidual = g.
 * y nullable without activation; dresidual nullable. sums [2,C] nullable: sum g and sum g (x - mean), as
 * gt_conv2d_backward_data gives them. dx or dresidual in place with dy (not both). */
GT_API gt_status gt_batch_norm_backward(gt_stream stream, gt_tensor dx, gt_tensor dgamma, gt_tensor dbeta,
                                        gt_tensor dresidual, gt_tensor dy, gt_tensor x, gt_tensor y, gt_tensor mean,
                                        gt_tensor inv_std, gt_tensor gamma, gt_tensor sums, int32_t activation);
/* y = activation(gamma (x - running_mean) / sqrt(running_variance + epsilon) + beta + residual). In place with x or
 * residual. */
GT_API gt_status gt_batch_norm_inference(gt_stream stream, gt_tensor y, gt_tensor x, gt_tensor gamma, gt_tensor beta,
                                         gt_tensor residual, gt_tensor running_mean, gt_tensor running_variance,
                                         double epsilon, int32_t activation);

/* Normalisation of each row along the last axis, floating. x, y [...,C]; gamma, beta [C] nullable and mean, inv_std [...,1],
 * wide.
 *   mean, variance: of the row (divided by C); inv_std = 1 / sqrt(variance + epsilon)
 *   y = gamma (x - mean) inv_std + beta
 * With a NULL mean it is RMS normalisation: the mean is taken as 0 everywhere. C >= 1, epsilon >= 0. In place: y with x. */
GT_API gt_status gt_layer_norm(gt_stream stream, gt_tensor y, gt_tensor mean, gt_tensor inv_std, gt_tensor x,
                               gt_tensor gamma, gt_tensor beta, double epsilon);
/* With xhat = (x - mean) inv_std and g = gamma dy:
 *   dx = inv_std (g - mean_row(g) - xhat mean_row(g xhat)), without the middle term if mean is NULL
 *   dgamma = sum over rows of dy xhat, dbeta = sum over rows of dy; both nullable, as are mean and gamma; all wide but dx, dy, x.
 * In place: dx with dy. */
GT_API gt_status gt_layer_norm_backward(gt_stream stream, gt_tensor dx, gt_tensor dgamma, gt_tensor dbeta, gt_tensor dy,
                                        gt_tensor x, gt_tensor mean, gt_tensor inv_std, gt_tensor gamma);

/* Normalisation of each group of channels of each picture, floating. x, y [N,...,C], a group being C / groups neighbouring
 * channels; gamma, beta [C] and mean, inv_std [N,groups], wide. Each group has at least one value. epsilon >= 0.
 *   mean, variance: of the picture's values in the group (divided by their count); inv_std = 1 / sqrt(variance + epsilon)
 *   y = gamma (x - mean) inv_std + beta
 * In place: y with x. */
GT_API gt_status gt_group_norm(gt_stream stream, gt_tensor y, gt_tensor mean, gt_tensor inv_std, gt_tensor x,
                               gt_tensor gamma, gt_tensor beta, int32_t groups, double epsilon);
/* With xhat = (x - mean) inv_std, g = gamma dy, and means over the picture's values in the group:
 *   dx = inv_std (g - mean(g) - xhat mean(g xhat)); dgamma = sum dy xhat, dbeta = sum dy over all but C, wide.
 * In place: dx with dy. */
GT_API gt_status gt_group_norm_backward(gt_stream stream, gt_tensor dx, gt_tensor dgamma, gt_tensor dbeta, gt_tensor dy,
                                        gt_tensor x, gt_tensor mean, gt_tensor inv_std, gt_tensor gamma, int32_t groups);
/* ---- Instructions: recurrent layers ------------------------------------------------------------------------------ */

/* Cells, by their gates' sums a_0, a_1, ... in the order of x and weights, h the state before the step:
 *   TANH, RELU, SIGMOID: h' = f(a_0)
 *   UGRNN: h' = g h + (1 - g) r, r = tanh(a_0), g = sigmoid(a_1)
 *   GRU: h' = (1 - z) n + z h, r = sigmoid(a_0), z = sigmoid(a_1), n = tanh(x_2 + r (U_2 h + bias))
 *   GRU_RESET_BEFORE: the same with n = tanh(x_2 + U_2 (r h))
 *   LSTM: c' = f c + i g, h' = o tanh(c'), i, f, o = sigmoid(a_0, a_1, a_3), g = tanh(a_2)
 *   INTERSECTION: h' = gh h + (1 - gh) tanh(a_1), y = gy skip + (1 - gy) relu(a_0), gy, gh = sigmoid(a_2, a_3) */
#define GT_CELL_TANH 0
#define GT_CELL_RELU 1
#define GT_CELL_SIGMOID 2
#define GT_CELL_UGRNN 3
#define GT_CELL_GRU 4
#define GT_CELL_GRU_RESET_BEFORE 5
#define GT_CELL_LSTM 6
#define GT_CELL_INTERSECTION 7

#define GT_DIRECTION_FORWARD 0
#define GT_DIRECTION_REVERSE 1 /* from the last step to the first */
#define GT_DIRECTION_BOTH 2    /* two cells, one in each direction */

/* A recurrent layer along whole sequences, real: T steps, B sequences, H units, D directions, G gates, S saved values (cells in
 * their order: G = 1 1 1 2 3 3 4 4, S = 0 0 0 2 4 3 5 5). a_g = x_g + U_g (keep h). With a gain it is x_g + N_g, N the products
 * U (keep h) of all gates of a sequence after layer normalisation without an offset, (p - mean) / sqrt(variance + epsilon) gain;
 * both GRUs normalise the products of their first two gates together and those of the last by themselves. S is G more then.
 *   y [T,B,D H]: the state after each step (INTERSECTION: its y). last [D,B,H]: the final state; last_cell: c of an LSTM.
 *   saved [T,B,D S H]: what the gradient needs; nullable, and NULL where S = 0. With a gain U (keep h) comes last in it.
 *   x [T,B,D G H]: W input + b. skip [T,B,H] of INTERSECTION alone. weights U [D G H, H]. bias [D H], nullable, of GRU alone.
 *   gain [D G H], nullable for no normalisation; with it epsilon > 0.
 *   first, first_cell [D,B,H], nullable for zeros: the state before the first step; first_cell of an LSTM alone.
 *   mask [T,B], nullable for ones: where it is 0 a step leaves the state as it is, which is also y (INTERSECTION: 0).
 *   keep [D,B,H], nullable for ones: multiplies the state where U reads it, such as a dropout mask. */
GT_API gt_status gt_recurrent(gt_stream stream, gt_tensor y, gt_tensor last, gt_tensor last_cell, gt_tensor saved,
                              gt_tensor x, gt_tensor skip, gt_tensor weights, gt_tensor bias, gt_tensor gain,
                              gt_tensor first, gt_tensor first_cell, gt_tensor mask, gt_tensor keep, int32_t cell,
                              int32_t direction, double epsilon);
/* The gradients of the former with respect to x, skip, weights, bias, gain, first and first_cell, from those with respect to y, last
 * and last_cell (nullable for zeros). y and saved are what the forward instruction gave. dbias of GRU alone, nullable, as are
 * dfirst and dfirst_cell; dgain where there is a gain, and only there. */
GT_API gt_status gt_recurrent_backward(gt_stream stream, gt_tensor dx, gt_tensor dskip, gt_tensor dweights, gt_tensor dbias,
                                       gt_tensor dgain, gt_tensor dfirst, gt_tensor dfirst_cell, gt_tensor dy,
                                       gt_tensor dlast, gt_tensor dlast_cell, gt_tensor y, gt_tensor saved, gt_tensor skip,
                                       gt_tensor weights, gt_tensor gain, gt_tensor first, gt_tensor first_cell,
                                       gt_tensor mask, gt_tensor keep, int32_t cell, int32_t direction, double epsilon);

/* ---- Instructions: pooling --------------------------------------------------------------------------------------- */

/* x [N,H,W,C], y [N,P,Q,C], floating, H, W >= 1; sizes as for convolution, each pad < window, so every window sees a
 * pixel. Padding never wins. taps (u8) [N,P,Q,C] is the place r * window_w + s of the first greatest element,
 * window_h * window_w <= 255. NaN wins. */
GT_API gt_status gt_max_pool(gt_stream stream, gt_tensor y, gt_tensor taps, gt_tensor x, int32_t window_h, int32_t window_w,
                             int32_t stride_h, int32_t stride_w, int32_t pad_top, int32_t pad_left, int32_t pad_bottom,
                             int32_t pad_right);
GT_API gt_status gt_max_pool_backward(gt_stream stream, gt_tensor dx, gt_tensor dy, gt_tensor taps, int32_t window_h,
                                      int32_t window_w, int32_t stride_h, int32_t stride_w, int32_t pad_top,
                                      int32_t pad_left, int32_t pad_bottom, int32_t pad_right);
/* The mean over the window's elements that lie inside x; with count_padding over all of them, zeros in the padding. */
GT_API gt_status gt_average_pool(gt_stream stream, gt_tensor y, gt_tensor x, int32_t window_h, int32_t window_w,
                                 int32_t stride_h, int32_t stride_w, int32_t pad_top, int32_t pad_left, int32_t pad_bottom,
                                 int32_t pad_right, int32_t count_padding);
GT_API gt_status gt_average_pool_backward(gt_stream stream, gt_tensor dx, gt_tensor dy, int32_t window_h, int32_t window_w,
                                          int32_t stride_h, int32_t stride_w, int32_t pad_top, int32_t pad_left,
                                          int32_t pad_bottom, int32_t pad_right, int32_t count_padding);

/* ---- Instructions: regularisation and loss ----------------------------------------------------------------------- */

/* Inverted dropout, floating: y = keep ? x / (1 - drop_probability) : 0, 0 <= drop_probability < 1; its gradient is itself
 * applied to dy. Element i is kept iff u16 >= llround(65536 drop_probability), where u16 is lane i % 8 (low half of word
 * 0 first) of Philox4x32-10 with key `seed`, counter = (i / 8, stream = (step << 32) | layer), 64 bits each, low first.
 * step (i64 scalar, nullable for 0) is read when the instruction runs. In place. */
GT_API gt_status gt_dropout(gt_stream stream, gt_tensor y, gt_tensor x, gt_tensor step, double drop_probability,
                            int64_t seed, int32_t layer);
/* Along the last axis, floating, stable. In place. */
GT_API gt_status gt_softmax(gt_stream stream, gt_tensor y, gt_tensor x);
/* The logarithm of the former, of which nothing underflows. In place. */
GT_API gt_status gt_log_softmax(gt_stream stream, gt_tensor y, gt_tensor x);
/* y [...,C], floating: 1 at the label, 0 elsewhere. labels (i32) [...]; one outside of 0..C-1 gives zeros. */
GT_API gt_status gt_one_hot(gt_stream stream, gt_tensor y, gt_tensor labels);
/* Real. logits [N,C]; targets are labels (i32) [N], a negative one being ignored and one of C or more giving a NaN loss; or
 * distributions [N,C] t, ignored where the first element of a row is negative. A label's t is 1 there, 0 elsewhere.
 * class_weights [C] w, nullable for 1; 0 <= label_smoothing s < 1. With q_c = w_c ((1 - s) t_c + s / C) in a row:
 *   loss (scalar) = sum over counted rows of -sum_c q_c log softmax(logits)_c / total, terms with q_c = 0 left out
 *   total = sum of w[label] over counted rows; with distributions their count (as PyTorch). If it is 0, so is the loss.
 *   correct (i32 scalar) = rows whose first greatest logit is at the label, or at the first greatest target. */
GT_API gt_status gt_softmax_cross_entropy(gt_stream stream, gt_tensor loss, gt_tensor correct, gt_tensor logits,
                                          gt_tensor targets, gt_tensor class_weights, double label_smoothing);
/* dlogits = dloss (softmax(logits) sum_c q_c - q) / total; 0 on ignored rows. dloss is a scalar. */
GT_API gt_status gt_softmax_cross_entropy_backward(gt_stream stream, gt_tensor dlogits, gt_tensor logits,
                                                   gt_tensor targets, gt_tensor class_weights, gt_tensor dloss,
                                                   double label_smoothing);
/* Both of the former in one pass over the logits. */
GT_API gt_status gt_softmax_cross_entropy_training(gt_stream stream, gt_tensor loss, gt_tensor correct, gt_tensor dlogits,
                                                   gt_tensor logits, gt_tensor targets, gt_tensor class_weights,
                                                   gt_tensor dloss, double label_smoothing);

/* ---- Instructions: the optimizer on slabs ------------------------------------------------------------------------ */

/* norm (scalar) = sqrt(sum x^2), summed in f64. */
GT_API gt_status gt_norm(gt_stream stream, gt_tensor norm, gt_tensor x);
/* y = x min(1, max_norm / norm); norm is a scalar, max_norm > 0. A norm that is not finite leaves x as it is. In place. */
GT_API gt_status gt_clip_by_norm(gt_stream stream, gt_tensor y, gt_tensor x, gt_tensor norm, double max_norm);
/* PyTorch's SGD, real, equal shapes, learning_rate a scalar tensor read when the instruction runs:
 *   d = gradient + weight_decay parameter;  v' = momentum v + (1 - dampening) d;  step = nesterov ? d + momentum v' : v'
 *   new_parameter = parameter - learning_rate step. Without momentum both velocities are NULL and step = d.
 * With rate_in_velocity d is multiplied by the learning rate and the step is not, so that a velocity keeps the rates it
 * was made with.
 * Velocities start as zeros, and dampening applies from the first step. momentum >= 0, nesterov only with momentum. In place:
 * parameter and velocity. */
GT_API gt_status gt_sgd_step(gt_stream stream, gt_tensor new_parameter, gt_tensor new_velocity, gt_tensor parameter,
                             gt_tensor velocity, gt_tensor gradient, gt_tensor learning_rate, double momentum,
                             double dampening, double weight_decay, int32_t nesterov, int32_t rate_in_velocity);
/* Adam, real, equal shapes; learning_rate (scalar) and step (i64 scalar, the steps done before) are read when the
 * instruction runs. With t = step + 1:
 *   d = decoupled ? gradient : gradient + weight_decay parameter
 *   m' = beta1 m + (1 - beta1) d;  v' = beta2 v + (1 - beta2) d^2
 *   kept = decoupled ? (1 - learning_rate weight_decay) parameter : parameter                (AdamW; else L2)
 *   new_parameter = kept - learning_rate (m' / (1 - beta1^t)) / (sqrt(v' / (1 - beta2^t)) + epsilon)
 * 0 <= beta1, beta2 < 1, epsilon > 0. m and v start as zeros. In place: parameter, m, v. */
GT_API gt_status gt_adam_step(gt_stream stream, gt_tensor new_parameter, gt_tensor new_m, gt_tensor new_v,
                              gt_tensor parameter, gt_tensor m, gt_tensor v, gt_tensor gradient, gt_tensor learning_rate,
                              gt_tensor step, double beta1, double beta2, double epsilon, double weight_decay,
                              int32_t decoupled);

#define GT_ADAPTIVE_AMSGRAD 0
#define GT_ADAPTIVE_NADAM 1
#define GT_ADAPTIVE_ADAGRAD 2
#define GT_ADAPTIVE_RMSPROP 3
#define GT_ADAPTIVE_LION 4

/* One step of an adaptive rule, real, equal shapes; learning_rate (scalar) and step (i64 scalar) as for Adam, whose t, d
 * and `kept` these rules share. The new parameter is kept - learning_rate u with
 *   AMSGRAD: m', v' as Adam; w' = max(w, v');  u = (m' / (1 - beta1^t)) / (sqrt(w' / (1 - beta2^t)) + epsilon)
 *   NADAM:   m', v' as Adam; u_t = beta1 (1 - 0.96^(0.004 t) / 2), U_t = u_1 ... u_t;
 *            u = (u_(t+1) m' / (1 - U_(t+1)) + (1 - u_t) d / (1 - U_t)) / (sqrt(v' / (1 - beta2^t)) + epsilon)
 *   ADAGRAD: v' = v + d^2;  u = d / (sqrt(v') + epsilon)
 *   RMSPROP: v' = beta2 v + (1 - beta2) d^2;  q = d / (sqrt(v') + epsilon);  with beta1 > 0: m' = beta1 m + q, u = m';
 *            else u = q
 *   LION:    u = sign(beta1 m + (1 - beta1) d);  m' = beta2 m + (1 - beta2) d
 * greatest is w. States that a rule does not keep are NULL: m for ADAGRAD, and for RMSPROP with beta1 = 0; v for LION;
 * greatest for all but AMSGRAD. 0 <= beta1, beta2 < 1, epsilon > 0. States start as zeros. In place: parameter, states. */
GT_API gt_status gt_adaptive_step(gt_stream stream, gt_tensor new_parameter, gt_tensor new_m, gt_tensor new_v,
                                  gt_tensor new_greatest, gt_tensor parameter, gt_tensor m, gt_tensor v,
                                  gt_tensor greatest, gt_tensor gradient, gt_tensor learning_rate, gt_tensor step,
                                  int32_t rule, double beta1, double beta2, double epsilon, double weight_decay,
                                  int32_t decoupled);
/* y = a + weight (b - a), real, equal shapes; weight is a scalar. In place with a. */
GT_API gt_status gt_lerp(gt_stream stream, gt_tensor y, gt_tensor a, gt_tensor b, gt_tensor weight);
/* Rows r of x [R,C], real, that are too long are scaled down: y_r = x_r min(1, limit_r / |x_r|), with the Euclidean norm,
 * limit_r = ratio max(|reference_r|, floor), or ratio without a reference [R,C] (nullable). ratio > 0, floor >= 0. A norm
 * that is not finite leaves the row as it is. Norms are summed in f64. In place with x. */
GT_API gt_status gt_clip_rows(gt_stream stream, gt_tensor y, gt_tensor x, gt_tensor reference, double ratio, double floor);

#ifdef __cplusplus
}
#endif
