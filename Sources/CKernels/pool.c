#include "orion_kernels.h"
