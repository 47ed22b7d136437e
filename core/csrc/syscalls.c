/* SPDX-License-Identifier: Apache-2.0 */
/* bpf(2) where libbpf 1.1 and the headers of kernel 6.1 are too old, and the kernel's
 * information records made flat. */
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "axn.h"

#define ADDRESS(pointer) ((uint64_t)(uintptr_t)(pointer))

/* The arguments of BPF_LINK_CREATE and BPF_PROG_QUERY as kernel 6.6 has them. */
struct link_create {
	uint32_t program, target, attach_type, flags, relative, unused;
	uint64_t expected_revision;
};

struct prog_query {
	uint32_t target, attach_type, flags, attach_flags;
	uint64_t prog_ids;
	uint32_t count, unused;
	uint64_t prog_attach_flags, link_ids, link_attach_flags, revision;
};

/* struct bpf_link_info with room for what newer kernels put behind its head. */
struct raw_link {
	uint32_t type, id, prog_id, unused;
	union {
		struct {
			uint64_t name;
			uint32_t name_size;
		} raw_tracepoint;
		struct {
			uint32_t attach_type, target_id;
		} tracing;
		struct {
			uint64_t id;
			uint32_t attach_type;
		} cgroup;
		struct {
			uint32_t inode, attach_type;
		} netns;
		struct {
			uint32_t ifindex, attach_type;
		} device; /* xdp (without the attach type) and tcx */
		uint64_t room[14];
	};
};

static int bpf(int command, void *arguments, size_t size)
{
	long result = syscall(SYS_bpf, command, arguments, size);

	return result < 0 ? -errno : (int)result;
}

int axn_link_create(int program, int target, uint32_t attach_type, uint32_t flags,
		    uint32_t relative, uint64_t expected_revision)
{
	struct link_create arguments = {
		.program = program,
		.target = target,
		.attach_type = attach_type,
		.flags = flags,
		.relative = relative,
		.expected_revision = expected_revision,
	};

	return bpf(BPF_LINK_CREATE, &arguments, sizeof arguments);
}

int axn_iterator_link(int program, int map)
{
	union bpf_iter_link_info info = { .map.map_fd = map };
	union bpf_attr arguments = { 0 };

	arguments.link_create.prog_fd = program;
	arguments.link_create.attach_type = BPF_TRACE_ITER;
	arguments.link_create.iter_info = ADDRESS(&info);
	arguments.link_create.iter_info_len = sizeof info;
	return bpf(BPF_LINK_CREATE, &arguments, sizeof arguments);
}

int axn_iterator_open(int link)
{
	union bpf_attr arguments = { .iter_create.link_fd = link };

	return bpf(BPF_ITER_CREATE, &arguments, sizeof arguments);
}

int axn_prog_query(int target, uint32_t attach_type, uint32_t flags, uint32_t *prog_ids,
		   uint32_t *link_ids, uint32_t *count, uint32_t *attach_flags, uint64_t *revision)
{
	struct prog_query arguments = {
		.target = target,
		.attach_type = attach_type,
		.flags = flags,
		.prog_ids = ADDRESS(prog_ids),
		.link_ids = ADDRESS(link_ids),
		.count = *count,
	};
	int error = bpf(BPF_PROG_QUERY, &arguments, sizeof arguments);

	*count = arguments.count;
	if (attach_flags)
		*attach_flags = arguments.attach_flags;
	if (revision)
		*revision = arguments.revision;
	return error;
}

int axn_prog_info(int fd, struct axn_prog_info *info, uint32_t *map_ids, uint32_t room)
{
	struct bpf_prog_info raw = { .nr_map_ids = room, .map_ids = ADDRESS(map_ids) };
	uint32_t size = sizeof raw;
	int error = bpf_obj_get_info_by_fd(fd, &raw, &size);

	if (error)
		return error;
	*info = (struct axn_prog_info){
		.type = raw.type,
		.id = raw.id,
		.btf_id = raw.btf_id,
		.map_count = raw.nr_map_ids,
		.xlated_size = raw.xlated_prog_len,
		.jited_size = raw.jited_prog_len,
		.verified_insns = raw.verified_insns,
		.run_misses = raw.recursion_misses,
		.load_time = raw.load_time,
		.run_time_ns = raw.run_time_ns,
		.run_count = raw.run_cnt,
	};
	memcpy(info->tag, raw.tag, sizeof info->tag);
	memcpy(info->name, raw.name, sizeof info->name);
	return 0;
}

int axn_map_info(int fd, struct axn_map_info *info)
{
	struct bpf_map_info raw = { 0 };
	uint32_t size = sizeof raw;
	int error = bpf_obj_get_info_by_fd(fd, &raw, &size);

	if (error)
		return error;
	*info = (struct axn_map_info){
		.type = raw.type,
		.id = raw.id,
		.key_size = raw.key_size,
		.value_size = raw.value_size,
		.max_entries = raw.max_entries,
		.flags = raw.map_flags,
		.ifindex = raw.ifindex,
		.btf_id = raw.btf_id,
		.btf_key_type_id = raw.btf_key_type_id,
		.btf_value_type_id = raw.btf_value_type_id,
	};
	memcpy(info->name, raw.name, sizeof info->name);
	return 0;
}

static void fill_link(struct axn_link_info *info, const struct raw_link *raw)
{
	switch (raw->type) {
	case BPF_LINK_TYPE_TRACING:
		info->attach_type = raw->tracing.attach_type;
		info->target_id = raw->tracing.target_id;
		break;
	case BPF_LINK_TYPE_CGROUP:
		info->cgroup_id = raw->cgroup.id;
		info->attach_type = raw->cgroup.attach_type;
		break;
	case BPF_LINK_TYPE_NETNS:
		info->netns_ino = raw->netns.inode;
		info->attach_type = raw->netns.attach_type;
		break;
	case BPF_LINK_TYPE_XDP:
		info->ifindex = raw->device.ifindex;
		info->attach_type = BPF_XDP;
		break;
	case AXN_LINK_TYPE_TCX:
		info->ifindex = raw->device.ifindex;
		info->attach_type = raw->device.attach_type;
		break;
	}
}

int axn_link_info(int fd, struct axn_link_info *info)
{
	struct raw_link raw = { 0 };
	uint32_t size = sizeof raw;
	int error = bpf_obj_get_info_by_fd(fd, &raw, &size);

	memset(info, 0, sizeof *info);
	if (!error && raw.type == BPF_LINK_TYPE_RAW_TRACEPOINT) {
		memset(&raw, 0, sizeof raw);
		raw.raw_tracepoint.name = ADDRESS(info->name);
		raw.raw_tracepoint.name_size = sizeof info->name;
		error = bpf_obj_get_info_by_fd(fd, &raw, &size);
	}
	if (error)
		return error;
	info->type = raw.type;
	info->id = raw.id;
	info->prog_id = raw.prog_id;
	fill_link(info, &raw);
	return 0;
}

int axn_btf_read(int fd, void *data, uint32_t *size, uint32_t *id, char *name, uint32_t name_room)
{
	struct bpf_btf_info raw = {
		.btf = ADDRESS(data),
		.btf_size = data ? *size : 0,
		.name = ADDRESS(name),
		.name_len = name_room,
	};
	uint32_t raw_size = sizeof raw;
	int error = bpf_obj_get_info_by_fd(fd, &raw, &raw_size);

	*size = raw.btf_size;
	if (id)
		*id = raw.id;
	return error;
}
