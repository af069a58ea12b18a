// fxc.exe: compiles HLSL with Microsoft's FXC, as wgpu has it do. Each line of the input is FILE and ENTRY POINT, split by a tab;
// each line of the output FILE, `ok` or `refused`, milliseconds, and the first error.
#include <windows.h>
#include <d3dcompiler.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef HRESULT(WINAPI *compile_function)(LPCVOID, SIZE_T, LPCSTR, const D3D_SHADER_MACRO *, ID3DInclude *, LPCSTR, LPCSTR, UINT, UINT, ID3DBlob **, ID3DBlob **);

static char *read_file(const char *name, SIZE_T *size) {
  FILE *file = fopen(name, "rb");
  if (!file) return NULL;
  fseek(file, 0, SEEK_END);
  *size = ftell(file);
  rewind(file);
  char *text = malloc(*size + 1);
  *size = fread(text, 1, *size, file);
  text[*size] = 0;
  fclose(file);
  return text;
}

int main(void) {
  static char line[4096];
  compile_function compile = (compile_function)(void *)GetProcAddress(LoadLibraryA("d3dcompiler_47.dll"), "D3DCompile");
  if (!compile) return 1;
  while (fgets(line, sizeof line, stdin)) {
    char *file = strtok(line, "\t\r\n"), *entry = strtok(NULL, "\t\r\n");
    SIZE_T size = 0;
    char *text = file && entry ? read_file(file, &size) : NULL;
    if (!text) continue;
    ID3DBlob *code = NULL, *errors = NULL;
    DWORD start = GetTickCount();
    HRESULT result = compile(text, size, NULL, NULL, NULL, entry, "cs_5_1", D3DCOMPILE_ENABLE_STRICTNESS, 0, &code, &errors);
    const char *message = result != S_OK && errors ? (const char *)errors->lpVtbl->GetBufferPointer(errors) : "";
    printf("%s\t%s\t%lu\t%.*s\n", file, result == S_OK ? "ok" : "refused", GetTickCount() - start, (int)strcspn(message, "\r\n"), message);
    fflush(stdout);
    free(text);
  }
  return 0;
}
