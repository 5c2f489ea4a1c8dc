/* SPDX-License-Identifier: GPL-2.0 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM iova_policy

#if !defined(IOVP_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define IOVP_TRACE_H

#include <linux/tracepoint.h>

#include "iova_policy.h"

/* One change of a policy, or one that was asked for and refused. */
TRACE_EVENT(iova_policy_change,
	    TP_PROTO(const struct iova_policy_record *record),
	    TP_ARGS(record),
	    TP_STRUCT__entry(__field(__u64, seq)
			     __field(__u32, bdf)
			     __field(__u32, generation)
			     __field(__u32, cause)
			     __field(__u32, refusal)
			     __field(__u32, mechanisms)
			     __field(__u16, old_kind)
			     __field(__u16, old_width)
			     __field(__u16, new_kind)
			     __field(__u16, new_width)),
	    TP_fast_assign(__entry->seq = record->seq;
			   __entry->bdf = record->bdf;
			   __entry->generation = record->generation;
			   __entry->cause = record->cause;
			   __entry->refusal = record->refusal;
			   __entry->mechanisms = record->mechanisms;
			   __entry->old_kind = record->old_kind;
			   __entry->old_width = record->old_width;
			   __entry->new_kind = record->new_kind;
			   __entry->new_width = record->new_width;),
	    TP_printk("%04x:%02x:%02x.%x seq=%llu generation=%u cause=%u refusal=%u mechanisms=%#x old=%u:%u new=%u:%u",
		      __entry->bdf >> 16, __entry->bdf >> 8 & 0xff,
		      __entry->bdf >> 3 & 0x1f, __entry->bdf & 7, __entry->seq,
		      __entry->generation, __entry->cause, __entry->refusal,
		      __entry->mechanisms, __entry->old_kind,
		      __entry->old_width, __entry->new_kind,
		      __entry->new_width)
);

#endif /* IOVP_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
