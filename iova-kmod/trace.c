// SPDX-License-Identifier: GPL-2.0
/* iova_policy: the tracepoint */

#define CREATE_TRACE_POINTS
#include "trace.h"
