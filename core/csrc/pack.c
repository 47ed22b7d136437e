/* SPDX-License-Identifier: Apache-2.0 */
/* Packed records from Python objects, read by name in one call for many. The only C file that touches Python objects:
 * cffi released the interpreter before the call, so it is taken again here. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "axn.h"
#include "store.h"

/* Go from attribute to attribute, or from key to key; NULL without an exception set where the way ends early. */
static PyObject *follow(PyObject *item, PyObject *path)
{
	PyObject *value = Py_NewRef(item);
	Py_ssize_t steps = PyTuple_Size(path);

	for (Py_ssize_t i = 0; value && i < steps; i++) {
		PyObject *step = PyTuple_GetItem(path, i);
		bool by_key = PyDict_Check(value) || !PyUnicode_Check(step);
		PyObject *inner = by_key ? PyObject_GetItem(value, step) : PyObject_GetAttr(value, step);

		Py_DECREF(value);
		value = inner;
	}
	if (!value)
		PyErr_Clear();
	return value;
}

static PyObject *fetch(const struct axn_record *record, PyObject *item, uint32_t field)
{
	PyObject *value;

	if (!PyDict_Check(item))
		return follow(item, PyTuple_GetItem((PyObject *)record->attributes, field));
	value = PyDict_GetItemWithError(item, PyTuple_GetItem((PyObject *)record->names, field));
	if (value)
		return Py_NewRef(value);
	PyErr_Clear();
	return follow(item, PyTuple_GetItem((PyObject *)record->keys, field));
}

static uint32_t pack_bytes(uint8_t *out, const struct axn_field *field, PyObject *value)
{
	PyObject *bytes = PyUnicode_Check(value) ? NULL : PyObject_Bytes(value);
	uint32_t fault = 0;
	Py_ssize_t size;
	char *data;

	if (!bytes || PyBytes_AsStringAndSize(bytes, &data, &size)) {
		PyErr_Clear();
		fault = AXN_TYPE;
	} else if (size != field->size) {
		fault = AXN_LENGTH;
	} else {
		memcpy(out, data, size);
	}
	Py_XDECREF(bytes);
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

static uint32_t pack_field(uint8_t *out, const struct axn_field *field, PyObject *value)
{
	PyObject *number;
	uint32_t fault;

	if (field->kind == AXN_BYTES)
		return pack_bytes(out, field, value);
	if (PyLong_Check(value))
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

static uint32_t pack_whole(uint8_t *out, const struct axn_record *record, PyObject *item, uint32_t *field)
{
	struct axn_field whole = { .size = record->size, .kind = AXN_BYTES };

	*field = AXN_WHOLE;
	return pack_bytes(out, &whole, item);
}

static uint32_t pack_item(uint8_t *out, const struct axn_record *record, PyObject *item, uint32_t *field)
{
	uint32_t fault = 0;

	if (PyBytes_Check(item))
		return pack_whole(out, record, item, field);
	*field = 0;
	if (record->count == 1 && PyLong_Check(item))
		return pack_field(out + record->fields->offset, record->fields, item);
	for (uint32_t i = 0; i < record->count && !fault; i++) {
		PyObject *value = fetch(record, item, i);

		*field = i;
		fault = value ? pack_field(out + record->fields[i].offset, &record->fields[i], value) : AXN_MISSING;
		Py_XDECREF(value);
	}
	return fault;
}

int axn_pack(const struct axn_record *record, uintptr_t items, uint32_t first, uint32_t count, int part, void *out,
	     struct axn_fault *fault)
{
	PyGILState_STATE state = PyGILState_Ensure();
	uint8_t *bytes = out;

	fault->code = 0;
	memset(bytes, 0, (size_t)count * record->size);
	for (uint32_t i = 0; i < count && !fault->code; i++, bytes += record->size) {
		PyObject *item = PyTuple_GetItem((PyObject *)items, first + i);

		if (part != AXN_ITEM && PyTuple_CheckExact(item) && PyTuple_Size(item) == 2)
			item = PyTuple_GetItem(item, part);
		fault->row = first + i;
		fault->code = pack_item(bytes, record, item, &fault->field);
	}
	PyGILState_Release(state);
	return fault->code != 0;
}
