// A Node.js addon that mends what Wine's Direct3D 12 lacks for Dawn, in the method table that all its devices share. With DXIL set
// in the environment it also claims what DXC needs, so that Dawn compiles by DXC; pipelines then end in E_NOTIMPL, since Wine reads
// no DXIL: what gets so far was accepted by Tint and by DXC.
#include <windows.h>

// Places in ID3D12Device's method table (d3d12.h).
enum { CREATE_COMPUTE_PIPELINE_STATE = 11, CHECK_FEATURE_SUPPORT = 13, CREATE_SHARED_HANDLE = 31, METHODS = 44 };
// D3D12_FEATURE.
enum { FEATURE_SHADER_MODEL = 7, FEATURE_OPTIONS1 = 8, FEATURE_OPTIONS4 = 23 };

typedef HRESULT(WINAPI *create_device)(void *adapter, int level, const GUID *iid, void **device);
typedef HRESULT(WINAPI *check_feature)(void *device, int feature, void *data, UINT size);
static check_feature original_check;

// Dawn asks for a shared handle of a fence, and does not use it here.
static HRESULT WINAPI shared_handle(void *device, void *object, const void *attributes, DWORD access, const WCHAR *name, HANDLE *handle) {
  *handle = CreateEventW(NULL, FALSE, FALSE, NULL);
  return S_OK;
}

static HRESULT WINAPI claim_features(void *device, int feature, void *data, UINT size) {
  UINT *fields = data;
  if (feature == FEATURE_SHADER_MODEL) {
    if (fields[0] > 0x66) fields[0] = 0x66;
    return S_OK;
  }
  HRESULT result = original_check(device, feature, data, size);
  if (feature == FEATURE_OPTIONS1) { // wave operations, lanes at least and at most, lanes in all
    const UINT claimed[] = {TRUE, 32, 32, 1024};
    CopyMemory(fields, claimed, sizeof claimed);
    return S_OK;
  }
  if (feature == FEATURE_OPTIONS4) { // native 16-bit operations
    fields[2] = TRUE;
    return S_OK;
  }
  return result;
}

static HRESULT WINAPI no_pipeline(void *device, const void *description, const GUID *iid, void **pipeline) {
  *pipeline = NULL;
  return E_NOTIMPL;
}

__declspec(dllexport) void *napi_register_module_v1(void *env, void *exports) {
  static const GUID IID_device = {0x189819f1, 0x1db6, 0x4b57, {0xbe, 0x54, 0x18, 0x21, 0x33, 0x9b, 0x85, 0xf7}};
  create_device create = (create_device)(void *)GetProcAddress(LoadLibraryW(L"d3d12.dll"), "D3D12CreateDevice");
  void ***device = NULL;
  DWORD protection;
  if (!create || create(NULL, 0xb000, &IID_device, (void **)&device) != S_OK) return exports;
  void **methods = *device;
  VirtualProtect(methods, METHODS * sizeof *methods, PAGE_READWRITE, &protection);
  methods[CREATE_SHARED_HANDLE] = shared_handle;
  if (GetEnvironmentVariableA("DXIL", NULL, 0)) {
    original_check = (check_feature)methods[CHECK_FEATURE_SUPPORT];
    methods[CHECK_FEATURE_SUPPORT] = claim_features;
    methods[CREATE_COMPUTE_PIPELINE_STATE] = no_pipeline;
  }
  return exports;
}
