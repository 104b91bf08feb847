#include "kernels/gather.h"

#include "abi/aliasing.h"
#include "abi/handles.h"

using namespace gatun;

namespace {

// rows [N,W] by indices [N] of table [V,W].
void check(const char* op, const Named& rows, const Named& table, const Named& indices) {
  check_real(op, {rows, table});
  check_rank(op, rows.name, rows.operand, 2);
  check_rank(op, table.name, table.operand, 2);
  check_dtype(op, indices.name, indices.operand, DType::I32);
  check_shape(op, indices.name, indices.operand, {rows.operand.tensor->dims[0]});
  require(rows.operand.tensor->dims[1] == table.operand.tensor->dims[1], "[", op, "] ", rows.name,
          " and ", table.name, " must have rows of one length, but are ", *rows.operand.tensor,
          " and ", *table.operand.tensor);
}

}  // namespace

gt_status gt_gather_rows(gt_stream stream, gt_tensor y, gt_tensor table, gt_tensor indices) {
  constexpr auto op = "gather_rows";
  return instruction(op, stream, {y}, {table, indices}, [&](Launcher& launcher) {
    const Named to{"y", tensor(op, "y", y)}, from{"table", tensor(op, "table", table)};
    const Named by{"indices", tensor(op, "indices", indices)};
    check(op, to, from, by);
    check_disjoint(op, {to}, {from, by});
    launch::gather_rows(launcher, *to.operand.tensor, *from.operand.tensor, *by.operand.tensor);
  });
}

gt_status gt_scatter_add_rows(gt_stream stream, gt_tensor dtable, gt_tensor dy, gt_tensor indices) {
  constexpr auto op = "scatter_add_rows";
  return instruction(op, stream, {dtable}, {dy, indices}, [&](Launcher& launcher) {
    const Named to{"dtable", tensor(op, "dtable", dtable)}, from{"dy", tensor(op, "dy", dy)};
    const Named by{"indices", tensor(op, "indices", indices)};
    check(op, from, to, by);
    check_disjoint(op, {to}, {from, by});
    launch::scatter_add_rows(launcher, *to.operand.tensor, *from.operand.tensor,
                             *by.operand.tensor);
  });
}
