// SPDX-License-Identifier: Apache-2.0
#include <cublasLt.h>
#include <dlfcn.h>

// The functions of cuBLASLt that this plugin calls, forwarded to the library once the first of them
// is called. Linked to it, the plugin would make every process that looks for plugins load some
// hundred megabytes and run their start-up code: 40 ms, most of what a small model takes to load.
namespace {

// Null where the library is not there. Never closed.
void* Library() {
  static void* const library = [] {
    void* found = dlopen(TENON_CUBLASLT_NAME, RTLD_NOW | RTLD_LOCAL);
    return found != nullptr ? found : dlopen(TENON_CUBLASLT, RTLD_NOW | RTLD_LOCAL);
  }();
  return library;
}

template <typename Function>
Function* Find(Function*, const char* name) {
  void* library = Library();
  return library == nullptr ? nullptr : reinterpret_cast<Function*>(dlsym(library, name));
}

template <typename... Parameters, typename... Arguments>
cublasStatus_t Call(cublasStatus_t (*function)(Parameters...), Arguments... arguments) {
  return function == nullptr ? CUBLAS_STATUS_NOT_INITIALIZED : function(arguments...);
}

}  // namespace

extern "C" {

cublasStatus_t cublasLtCreate(cublasLtHandle_t* handle) {
  static auto* const function = Find(&cublasLtCreate, "cublasLtCreate");
  return Call(function, handle);
}

cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle) {
  static auto* const function = Find(&cublasLtDestroy, "cublasLtDestroy");
  return Call(function, handle);
}

const char* cublasLtGetStatusString(cublasStatus_t status) {
  static auto* const function = Find(&cublasLtGetStatusString, "cublasLtGetStatusString");
  return function == nullptr ? TENON_CUBLASLT_NAME " not found" : function(status);
}

cublasStatus_t cublasLtMatmulDescInit_internal(cublasLtMatmulDesc_t desc, size_t size,
                                               cublasComputeType_t compute, cudaDataType_t scale) {
  static auto* const function =
      Find(&cublasLtMatmulDescInit_internal, "cublasLtMatmulDescInit_internal");
  return Call(function, desc, size, compute, scale);
}

cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t desc,
                                              cublasLtMatmulDescAttributes_t attribute,
                                              const void* value, size_t size) {
  static auto* const function =
      Find(&cublasLtMatmulDescSetAttribute, "cublasLtMatmulDescSetAttribute");
  return Call(function, desc, attribute, value, size);
}

cublasStatus_t cublasLtMatrixLayoutInit_internal(cublasLtMatrixLayout_t layout, size_t size,
                                                 cudaDataType type, uint64_t rows, uint64_t columns,
                                                 int64_t stride) {
  static auto* const function =
      Find(&cublasLtMatrixLayoutInit_internal, "cublasLtMatrixLayoutInit_internal");
  return Call(function, layout, size, type, rows, columns, stride);
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t handle, cublasLtMatmulDesc_t desc, const void* alpha,
                              const void* a, cublasLtMatrixLayout_t a_layout, const void* b,
                              cublasLtMatrixLayout_t b_layout, const void* beta, const void* c,
                              cublasLtMatrixLayout_t c_layout, void* d,
                              cublasLtMatrixLayout_t d_layout,
                              const cublasLtMatmulAlgo_t* algorithm, void* workspace,
                              size_t workspace_bytes, cudaStream_t stream) {
  static auto* const function = Find(&cublasLtMatmul, "cublasLtMatmul");
  return Call(function, handle, desc, alpha, a, a_layout, b, b_layout, beta, c, c_layout, d,
              d_layout, algorithm, workspace, workspace_bytes, stream);
}

}  // extern "C"
