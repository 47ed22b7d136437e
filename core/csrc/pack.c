/* SPDX-License-Identifier: Apache-2.0 */
/* Packed records from Python objects, read by name in one call for many. The only C file that
 * touches Python objects: cffi released the interpreter before the call, so it is taken again
 * here. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "axn.h"
#include "store.h"

enum form { OBJECT, DICT, INTEGER, WHOLE };

/* A record of which the next item is packed. Items of one type follow each other: its form is
 * looked up once. */
struct packer {
	const struct axn_record *record;
	uint8_t *out;
	PyTypeObject *type;
	enum form form;
	uint32_t field;
};

/* Go from attribute to attribute, or from key to key; NULL without an exception set where the
 * way ends early. */
static PyObject *follow(PyObject *item, PyObject *path)
{
	PyObject *value = Py_NewRef(item);
	Py_ssize_t steps = PyTuple_Size(path);

	for (Py_ssize_t i = 0; value && i < steps; i++) {
		PyObject *step = PyTuple_GetItem(path, i);
		bool by_key = PyDict_Check(value) || !PyUnicode_Check(step);
		PyObject *inner =
			by_key ? PyObject_GetItem(value, step) : PyObject_GetAttr(value, step);

		Py_DECREF(value);
		value = inner;
	}
	if (!value)
		PyErr_Clear();
	return value;
}

static PyObject *fetch_attribute(PyObject *item, const struct axn_field *field)
{
	PyObject *value;

	if (!field->attribute)
		return follow(item, (PyObject *)field->attributes);
	value = PyObject_GetAttr(item, (PyObject *)field->attribute);
	if (!value)
		PyErr_Clear();
	return value;
}

static PyObject *fetch_key(PyObject *item, const struct axn_field *field)
{
	PyObject *value = PyDict_GetItemWithError(item, (PyObject *)field->name);

	if (value)
		return Py_NewRef(value);
	PyErr_Clear();
	return follow(item, (PyObject *)field->keys);
}

static uint32_t copy_bytes(uint8_t *out, uint32_t size, PyObject *bytes)
{
	Py_ssize_t found;
	char *data;

	PyBytes_AsStringAndSize(bytes, &data, &found);
	if (found != size)
		return AXN_LENGTH;
	memcpy(out, data, size);
	return 0;
}

static uint32_t pack_bytes(uint8_t *out, uint32_t size, PyObject *value)
{
	PyObject *bytes;
	uint32_t fault;

	if (Py_IS_TYPE(value, &PyBytes_Type))
		return copy_bytes(out, size, value);
	bytes = PyUnicode_Check(value) ? NULL : PyObject_Bytes(value);
	if (!bytes) {
		PyErr_Clear();
		return AXN_TYPE;
	}
	fault = copy_bytes(out, size, bytes);
	Py_DECREF(bytes);
	return fault;
}

static uint32_t pack_integer(uint8_t *out, const struct axn_field *field, PyObject *number)
{
	uint32_t bits = 8 * field->size;
	uint64_t word;
	bool fits;

	if (field->kind == AXN_SIGNED) {
		int64_t value = PyLong_AsLongLong(number);

		fits = bits == 64 || (value >= -(1ll << (bits - 1)) && value < 1ll << (bits - 1));
		word = value;
	} else {
		word = PyLong_AsUnsignedLongLong(number);
		fits = bits == 64 || !(word >> bits);
	}
	if (word == UINT64_MAX && PyErr_Occurred()) {
		PyErr_Clear(); /* below 0, or more than 64 bits */
		fits = false;
	}
	if (!fits)
		return AXN_RANGE;
	axn_store(out, field, word);
	return 0;
}

static uint32_t pack_field(uint8_t *record, const struct axn_field *field, PyObject *value)
{
	uint8_t *out = record + field->offset;
	PyObject *number;
	uint32_t fault;

	if (field->kind == AXN_BYTES)
		return pack_bytes(out, field->size, value);
	if (Py_IS_TYPE(value, &PyLong_Type))
		return pack_integer(out, field, value);
	number = PyNumber_Index(value);
	if (!number) {
		PyErr_Clear();
		return AXN_TYPE;
	}
	fault = pack_integer(out, field, number);
	Py_DECREF(number);
	return fault;
}

static enum form form_of(PyObject *item)
{
	if (PyBytes_Check(item))
		return WHOLE;
	if (PyDict_Check(item))
		return DICT;
	return PyLong_Check(item) ? INTEGER : OBJECT;
}

static uint32_t pack_fields(struct packer *packer, PyObject *item)
{
	const struct axn_record *record = packer->record;
	bool by_key = packer->form == DICT;
	uint32_t fault = 0;

	for (packer->field = 0; packer->field < record->count; packer->field++) {
		const struct axn_field *field = &record->fields[packer->field];
		PyObject *value = by_key ? fetch_key(item, field) : fetch_attribute(item, field);

		if (!value)
			return AXN_MISSING;
		fault = pack_field(packer->out, field, value);
		Py_DECREF(value);
		if (fault)
			return fault;
	}
	return 0;
}

static uint32_t pack_item(struct packer *packer, PyObject *item)
{
	const struct axn_record *record = packer->record;

	if (Py_TYPE(item) != packer->type) {
		packer->type = Py_TYPE(item);
		packer->form = form_of(item);
	}
	if (packer->form == WHOLE) {
		packer->field = AXN_WHOLE;
		return pack_bytes(packer->out, record->size, item);
	}
	if (packer->form == INTEGER && record->count == 1) {
		packer->field = 0;
		return pack_field(packer->out, record->fields, item);
	}
	return pack_fields(packer, item);
}

static bool pack_rows(PyObject *items, struct packer *packers, uint32_t parts,
		      struct axn_fault *fault)
{
	Py_ssize_t count = PyTuple_Size(items);

	for (Py_ssize_t row = 0; row < count; row++) {
		PyObject *item = PyTuple_GetItem(items, row);
		bool pair =
			parts == 2 && Py_IS_TYPE(item, &PyTuple_Type) && PyTuple_Size(item) == 2;

		for (uint32_t part = 0; part < parts; part++) {
			struct packer *packer = &packers[part];
			uint32_t code =
				pack_item(packer, pair ? PyTuple_GetItem(item, part) : item);

			if (code) {
				*fault = (struct axn_fault){ row, packer->field, code, part };
				return true;
			}
			packer->out += packer->record->size;
		}
	}
	return false;
}

int axn_pack(uintptr_t items, const struct axn_record *key, void *keys,
	     const struct axn_record *value, void *values, struct axn_fault *fault)
{
	struct packer packers[] = { { .record = key, .out = keys },
				    { .record = value, .out = values } };
	PyGILState_STATE state = PyGILState_Ensure();
	bool failed = pack_rows((PyObject *)items, packers, value ? 2 : 1, fault);

	PyGILState_Release(state);
	return failed;
}
