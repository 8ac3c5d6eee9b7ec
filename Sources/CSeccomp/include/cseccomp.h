#pragma once

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>

/// Macros with casts, which Swift does not import.
enum {
    CSECCOMP_ACT_KILL_THREAD = 0x00000000,
    CSECCOMP_ACT_TRAP = 0x00030000,
    CSECCOMP_ACT_ERRNO = 0x00050000,
    CSECCOMP_ACT_TRACE = 0x7ff00000,
    CSECCOMP_ACT_LOG = 0x7ffc0000,
    CSECCOMP_ACT_ALLOW = 0x7fff0000,
};
static const uint32_t CSECCOMP_ACT_KILL_PROCESS = 0x80000000U;
static const uint32_t CSECCOMP_ARCH_X86 = SCMP_ARCH_X86;
/// Of struct seccomp_data as the kernel has it: the architecture that this was compiled for.
#if defined(__x86_64__)
static const uint32_t CSECCOMP_NATIVE = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
static const uint32_t CSECCOMP_NATIVE = AUDIT_ARCH_AARCH64;
#else
#error "which architecture is this?"
#endif
