#include "internal.h"

#include <linux/filter.h>
#include <stdlib.h>
#include <string.h>

static int read_all(int pipe, void *bytes, size_t count) {
    for (size_t done = 0; done < count;) {
        ssize_t got = read(pipe, (char *)bytes + done, count - done);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return errno = got < 0 ? errno : EPROTO, -1;
        done += (size_t)got;
    }
    return 0;
}

static int is_inside(const struct enter_plan *head, struct enter_span span, size_t element, size_t alignment) {
    uint64_t end = (uint64_t)span.offset + (uint64_t)span.count * element;
    return span.offset >= sizeof *head && span.offset % alignment == 0 && end <= head->size;
}

// The last byte of a plan is NUL, so a string that begins inside ends inside.
static int is_string(const struct enter_plan *head, uint32_t offset) {
    return offset >= sizeof *head && offset < head->size;
}

static int are_strings(const struct enter_plan *head, struct enter_span span) {
    if (!is_inside(head, span, sizeof(uint32_t), sizeof(uint32_t))) return 0;
    const uint32_t *offsets = (const void *)((const char *)head + span.offset);
    for (uint32_t i = 0; i < span.count; i++)
        if (!is_string(head, offsets[i])) return 0;
    return 1;
}

static int is_whole(const struct enter_plan *head) {
    const uint32_t strings[] = {head->root, head->hostname, head->directory, head->search};
    const struct enter_span lists[] = {head->arguments, head->environment, head->masked, head->read_only};
    if (((const char *)head)[head->size - 1]) return 0;
    for (int i = 0; i < 4; i++)
        if (!is_string(head, strings[i]) || !are_strings(head, lists[i])) return 0;
    if (!is_inside(head, head->mounts, sizeof(struct enter_mount), _Alignof(struct enter_mount)) ||
        !is_inside(head, head->groups, sizeof(uint32_t), sizeof(uint32_t)) ||
        !is_inside(head, head->filter, sizeof(struct sock_filter), _Alignof(struct sock_filter)))
        return 0;
    const struct enter_mount *mounts = (const void *)((const char *)head + head->mounts.offset);
    for (uint32_t i = 0; i < head->mounts.count; i++)
        if (!is_string(head, mounts[i].source) || !is_string(head, mounts[i].target) ||
            !are_strings(head, mounts[i].options) || mounts[i].options.count % 2)
            return 0;
    return head->arguments.count > 0 && head->filter.count <= UINT16_MAX;
}

const char *plan_string(const struct plan *plan, uint32_t offset) { return (const char *)plan->head + offset; }

const char **plan_list(const struct plan *plan, struct enter_span span) {
    const char **list = calloc((size_t)span.count + 1, sizeof *list);
    if (!list) return NULL;
    const uint32_t *offsets = (const void *)((const char *)plan->head + span.offset);
    for (uint32_t i = 0; i < span.count; i++) list[i] = plan_string(plan, offsets[i]);
    return list;
}

int read_start(int pipe, struct enter_start *start) {
    if (read_all(pipe, start, sizeof *start) < 0) return -1;
    int known = start->magic == ENTER_MAGIC && start->version == ENTER_VERSION && start->cgroups < 64;
    return known ? 0 : (errno = EPROTO, -1);
}

int read_plan(int pipe, struct plan *plan) {
    struct enter_plan start;
    if (read_all(pipe, &start, sizeof start) < 0) return -1;
    if (start.size <= sizeof start || start.size > ENTER_LARGEST_PLAN) return errno = EPROTO, -1;
    struct enter_plan *head = malloc(start.size);
    if (!head) return -1;
    *head = start;
    if (read_all(pipe, head + 1, start.size - sizeof start) < 0) return -1;
    if (!is_whole(head)) return errno = EPROTO, -1;
    plan->head = head;
    plan->root = plan_string(plan, head->root);
    plan->hostname = plan_string(plan, head->hostname);
    plan->directory = plan_string(plan, head->directory);
    plan->search = plan_string(plan, head->search);
    plan->arguments = plan_list(plan, head->arguments);
    plan->environment = plan_list(plan, head->environment);
    plan->masked = plan_list(plan, head->masked);
    plan->read_only = plan_list(plan, head->read_only);
    plan->mounts = (const void *)plan_string(plan, head->mounts.offset);
    plan->groups = (const void *)plan_string(plan, head->groups.offset);
    plan->filter = plan_string(plan, head->filter.offset);
    return plan->arguments && plan->environment && plan->masked && plan->read_only ? 0 : -1;
}
