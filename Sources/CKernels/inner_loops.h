// All inner loops and their table, KERNELS_TABLE. Included once by each file that makes a table.
#include "cast_kernel.h"
#include "chain_kernel.h"
#include "limits_kernel.h"
#include "pack_kernel.h"
#include "row_kernel.h"
#include "softmax_kernel.h"
// After the rows, whose doubles it uses.
#include "norm_gradient_kernel.h"
// After the packing, whose transposition they use.
#include "tile_kernel.h"
#include "training_kernel.h"
#if KERNELS_FP16
#include "half_tile_kernel.h"
#define KERNELS_TILE tile_half_any
#else
#define KERNELS_TILE tile_any
#endif

const orion_kernels KERNELS_TABLE = {
    .name = KERNELS_NAME,
    .tile_panels = KERNELS_TILE_PANELS,
    .widen = widen_run,
    .narrow = narrow_run,
    .round = round_run,
    .widen_panels = widen_panels,
    .pack = pack_panels,
    .pack_tiles = pack_tiles,
    .tile = KERNELS_TILE,
    .store = store_panels,
    .chain = chain_any,
    .fold = fold_any,
    .round_doubles = round_doubles,
    .affine = affine_any,
    .exponentials = exponentials_any,
    .norm_gradient = norm_gradient_columns,
    .softmax = softmax_any,
    .highest = row_highest,
    .probabilities = probabilities_row,
    .scale_mask = scale_mask_row,
    .panel_tops = panel_tops,
    .panel_exponentials = panel_exponentials,
    .panel_quotients = panel_quotients,
    .slopes = slopes_row,
    .adamw = adamw_run,
    .accumulate = accumulate_run,
    .saturate = saturate_run,
    .count_outside = count_outside_run,
    .logit_sums = logit_sums,
    .logit_gradient = logit_gradient,
    .embed = embed_square,
    .scatter = scatter_square,
    .burn = burn_run,
    .burn_flops = 2 * FMA_CHAINS * sizeof(widest) / sizeof(float),
    .read = read_run,
    .copy = copy_run,
};
