/* SPDX-License-Identifier: Apache-2.0 */
/* bpf(2) and libbpf with flat arguments. Every int below 0 is -errno.
 * Included by axn.h and read by cffi: plain declarations only. */

/* Newer than the headers of kernel 6.1 that we compile with. */
#define AXN_TCX_INGRESS 46
#define AXN_TCX_EGRESS 47
#define AXN_LINK_TYPE_TCX 11
#define AXN_F_REPLACE 4
#define AXN_F_BEFORE 8
#define AXN_F_AFTER 16
#define AXN_F_ID 32
#define AXN_F_LINK 8192

struct axn_prog_info {
	uint32_t type, id, btf_id, map_count;
	uint32_t xlated_size, jited_size, verified_insns, run_misses;
	uint64_t load_time, run_time_ns, run_count;
	uint8_t tag[8];
	char name[16];
};

struct axn_map_info {
	uint32_t type, id, key_size, value_size, max_entries, flags, ifindex;
	uint32_t btf_id, btf_key_type_id, btf_value_type_id;
	char name[16];
};

/* A field that the link's type does not have is 0. */
struct axn_link_info {
	uint32_t type, id, prog_id, attach_type;
	uint32_t ifindex, netns_ino, target_id;
	uint64_t cgroup_id;
	char name[64];
};

/* objects and programs */
struct bpf_object *axn_object_open(const void *data, size_t size, const char *name);
int axn_prog_load(int type, int attach_type, const char *name, const char *license,
		  const void *insns, size_t count, char *log, uint32_t log_size);
int axn_map_create(int type, const char *name, uint32_t key_size, uint32_t value_size,
		   uint32_t max_entries, uint32_t flags, int inner_map);
/* *size_out and *ctx_size_out: in the room, out the bytes that came; NULL asks for none. */
int axn_test_run(int program, const void *data_in, uint32_t size_in, void *data_out,
		 uint32_t *size_out, const void *ctx_in, uint32_t ctx_size_in, void *ctx_out,
		 uint32_t *ctx_size_out, int repeat, uint32_t flags, uint32_t *retval,
		 uint32_t *duration);

/* attachment: links */
int axn_link_create(int program, int target, uint32_t attach_type, uint32_t flags,
		    uint32_t relative, uint64_t expected_revision);
int axn_link_update(int link, int program);
int axn_link_replace(int link, int program, int expected_program);
/* *count: in the room of both arrays, out what is attached (-ENOSPC: more than the room).
 * link_ids, attach_flags and revision may be NULL; kernels before 6.6 know neither link_ids nor
 * revisions. */
int axn_prog_query(int target, uint32_t attach_type, uint32_t flags, uint32_t *prog_ids,
		   uint32_t *link_ids, uint32_t *count, uint32_t *attach_flags, uint64_t *revision);

/* iterators: a link of a program to the elements of a map, and a file whose reading runs it once */
int axn_iterator_link(int program, int map);
int axn_iterator_open(int link);

/* attachment: clsact filters and XDP over netlink. point: BPF_TC_INGRESS, BPF_TC_EGRESS, or both
 * to destroy the qdisc. */
int axn_tc_create(int ifindex, int point);
int axn_tc_destroy(int ifindex, int point);
int axn_tc_attach(int ifindex, int point, int program, uint32_t handle, uint32_t priority,
		  uint32_t flags);
int axn_tc_detach(int ifindex, int point, uint32_t handle, uint32_t priority);
int axn_tc_query(int ifindex, int point, uint32_t handle, uint32_t priority, uint32_t *prog_id);
/* program -1 detaches; expected_program 0 stands for any. */
int axn_xdp_attach(int ifindex, int program, uint32_t flags, int expected_program);

/* information by file descriptor */
int axn_prog_info(int fd, struct axn_prog_info *info, uint32_t *map_ids, uint32_t room);
int axn_map_info(int fd, struct axn_map_info *info);
int axn_link_info(int fd, struct axn_link_info *info);
/* *size: in the room of data (NULL: only ask), out the size of the BTF. id and name may be NULL. */
int axn_btf_read(int fd, void *data, uint32_t *size, uint32_t *id, char *name, uint32_t name_room);

/* libbpf's messages up to this level go to `line`: from Python, axn_log of build_bpf.py. */
void axn_log_to(void (*line)(int level, char *text), int level);
