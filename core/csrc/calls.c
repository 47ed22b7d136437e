/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of libbpf whose options become flat arguments. */
#include <errno.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "axn.h"

struct bpf_object *axn_object_open(const void *data, size_t size, const char *name)
{
	LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = name);

	return bpf_object__open_mem(data, size, &options);
}

int axn_prog_load(int type, int attach_type, const char *name, const char *license,
		  const void *insns, size_t count, char *log, uint32_t log_size)
{
	LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = attach_type,
		    .log_buf = log, .log_size = log_size, .log_level = log ? 1 : 0);

	return bpf_prog_load(type, name, license, insns, count, &options);
}

int axn_map_create(int type, const char *name, uint32_t key_size, uint32_t value_size,
		   uint32_t max_entries, uint32_t flags, int inner_map)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = flags, .inner_map_fd = inner_map);

	return bpf_map_create(type, name, key_size, value_size, max_entries, &options);
}

int axn_test_run(int program, const void *data_in, uint32_t size_in, void *data_out,
		 uint32_t *size_out, const void *ctx_in, uint32_t ctx_size_in, void *ctx_out,
		 uint32_t *ctx_size_out, int repeat, uint32_t flags, uint32_t *retval,
		 uint32_t *duration)
{
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = data_in, .data_size_in = size_in,
		    .data_out = data_out, .data_size_out = size_out ? *size_out : 0,
		    .ctx_in = ctx_in, .ctx_size_in = ctx_size_in, .ctx_out = ctx_out,
		    .ctx_size_out = ctx_size_out ? *ctx_size_out : 0, .repeat = repeat,
		    .flags = flags);
	int error = bpf_prog_test_run_opts(program, &options);

	if (size_out)
		*size_out = options.data_size_out;
	if (ctx_size_out)
		*ctx_size_out = options.ctx_size_out;
	*retval = options.retval;
	*duration = options.duration;
	return error;
}

int axn_link_update(int link, int program)
{
	return bpf_link_update(link, program, NULL);
}

int axn_link_replace(int link, int program, int expected_program)
{
	LIBBPF_OPTS(bpf_link_update_opts, options, .flags = BPF_F_REPLACE,
		    .old_prog_fd = expected_program);

	return bpf_link_update(link, program, &options);
}

int axn_tc_create(int ifindex, int point)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = point);

	return bpf_tc_hook_create(&hook);
}

int axn_tc_destroy(int ifindex, int point)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = point);

	return bpf_tc_hook_destroy(&hook);
}

int axn_tc_attach(int ifindex, int point, int program, uint32_t handle, uint32_t priority,
		  uint32_t flags)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = point);
	LIBBPF_OPTS(bpf_tc_opts, options, .prog_fd = program, .handle = handle,
		    .priority = priority, .flags = flags);

	return bpf_tc_attach(&hook, &options);
}

int axn_tc_detach(int ifindex, int point, uint32_t handle, uint32_t priority)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = point);
	LIBBPF_OPTS(bpf_tc_opts, options, .handle = handle, .priority = priority);

	return bpf_tc_detach(&hook, &options);
}

int axn_tc_query(int ifindex, int point, uint32_t handle, uint32_t priority, uint32_t *prog_id)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = point);
	LIBBPF_OPTS(bpf_tc_opts, options, .handle = handle, .priority = priority);
	int error = bpf_tc_query(&hook, &options);

	*prog_id = error ? 0 : options.prog_id;
	return error;
}

int axn_xdp_attach(int ifindex, int program, uint32_t flags, int expected_program)
{
	LIBBPF_OPTS(bpf_xdp_attach_opts, options, .old_prog_fd = expected_program);

	return bpf_xdp_attach(ifindex, program, flags, expected_program ? &options : NULL);
}
