// dxc LIBRARY: compiles HLSL with Microsoft's DXC, as wgpu has it do. Each line of the input is FILE, ENTRY POINT and PROFILE, split by
// tabs; each line of the output FILE, `ok` or `refused`, and the first error. The first line of the output is DXC's version.
#include "dxcapi.h"
#include <dlfcn.h>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

static std::wstring wide(const std::string &text) { return std::wstring(text.begin(), text.end()); }

// The first error of the compiler's messages, in one line.
static std::string first_error(const std::string &messages) {
  std::istringstream lines(messages);
  std::string line, found;
  while (std::getline(lines, line)) {
    if (found.empty() || (line.find("error") != std::string::npos && found.find("error") == std::string::npos)) found = line;
  }
  return found;
}

int main(int argc, char **argv) {
  void *library = argc == 2 ? dlopen(argv[1], RTLD_NOW | RTLD_GLOBAL) : nullptr;
  if (!library) return std::cerr << (argc == 2 ? dlerror() : "usage: dxc LIBRARY") << "\n", 1;
  auto create = reinterpret_cast<DxcCreateInstanceProc>(dlsym(library, "DxcCreateInstance"));
  IDxcCompiler3 *compiler = nullptr;
  if (!create || create(CLSID_DxcCompiler, __uuidof(IDxcCompiler3), reinterpret_cast<void **>(&compiler)) != S_OK) return 2;
  IDxcVersionInfo *info = nullptr;
  UINT32 major = 0, minor = 0;
  if (compiler->QueryInterface(__uuidof(IDxcVersionInfo), reinterpret_cast<void **>(&info)) == S_OK) info->GetVersion(&major, &minor);
  std::cout << major << '.' << minor << std::endl;
  std::string line;
  while (std::getline(std::cin, line)) {
    std::istringstream fields(line);
    std::string file, entry, profile;
    std::getline(fields, file, '\t'), std::getline(fields, entry, '\t'), std::getline(fields, profile, '\t');
    std::ifstream stream(file);
    std::string source((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
    std::vector<std::wstring> texts = {L"-E", wide(entry), L"-T", wide(profile), L"-HV", L"2018", L"-Ges", L"-enable-16bit-types"};
    std::vector<LPCWSTR> arguments;
    for (auto &text : texts) arguments.push_back(text.c_str());
    DxcBuffer buffer{source.data(), source.size(), DXC_CP_UTF8};
    IDxcResult *result = nullptr;
    HRESULT status = compiler->Compile(&buffer, arguments.data(), arguments.size(), nullptr, __uuidof(IDxcResult), reinterpret_cast<void **>(&result));
    std::string messages;
    if (status == S_OK) {
      result->GetStatus(&status);
      IDxcBlobUtf8 *errors = nullptr;
      if (result->GetOutput(DXC_OUT_ERRORS, __uuidof(IDxcBlobUtf8), reinterpret_cast<void **>(&errors), nullptr) == S_OK && errors) {
        messages.assign(errors->GetStringPointer(), errors->GetStringLength());
        errors->Release();
      }
      result->Release();
    }
    std::cout << file << '\t' << (status == S_OK ? "ok" : "refused") << '\t' << (status == S_OK ? "" : first_error(messages)) << std::endl;
  }
}
