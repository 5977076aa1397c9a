/*
 * Loads drivers through the service manager, one after the other, and unloads them:
 *
 *   load.exe NAME DRIVER.SYS LOG [CASE]...
 *
 * The driver is the service NAME; warm.sys, which lies beside it, is loaded first and stays, so that Wine keeps one
 * process for both. For each CASE it is started with the service parameters Case and Log
 * (values of its key); with none, once, with Log alone. It has done its work when it has started. Prints
 * a line for each step that fails, with the system's own message; exit status 1 then, 2 for a usage error.
 */
#include <stdio.h>
#include <string.h>

#include <windows.h>

#define STOP_MS 10000
#define WARM_TRIES 5
#define GROUP "rxpool" /* drivers of a load order group share a host process */

static int failed(const char *name, const char *step, DWORD error) {
    char text[256] = "";
    FormatMessageA(FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS, NULL, error, 0, text,
                   sizeof(text), NULL);
    text[strcspn(text, "\r\n")] = '\0';
    printf("load: %s: %s: error %lu: %s\n", name, step, error, text);
    return 1;
}

static DWORD set_parameter(HKEY key, const char *name, const char *value) {
    return RegSetValueExA(key, name, 0, REG_SZ, (const BYTE *)value, (DWORD)strlen(value) + 1);
}

static DWORD set_parameters(const char *service, const char *log, const char *which) {
    char path[256];
    HKEY key;
    snprintf(path, sizeof(path), "System\\CurrentControlSet\\Services\\%s", service);
    DWORD error = RegOpenKeyExA(HKEY_LOCAL_MACHINE, path, 0, KEY_SET_VALUE, &key);
    if (error != ERROR_SUCCESS)
        return error;
    error = set_parameter(key, "Log", log);
    if (error == ERROR_SUCCESS)
        error = set_parameter(key, "Case", which);
    RegCloseKey(key);
    return error;
}

/* Waits until the driver has unloaded; false when it has not in time. */
static BOOL is_stopped(SC_HANDLE service) {
    SERVICE_STATUS status;
    for (DWORD waited = 0; waited < STOP_MS; waited += 10) {
        if (QueryServiceStatus(service, &status) && status.dwCurrentState == SERVICE_STOPPED)
            return TRUE;
        Sleep(10);
    }
    return FALSE;
}

/* One start and one stop. */
static int run(SC_HANDLE service, const char *which) {
    SERVICE_STATUS status;
    if (!StartServiceA(service, 0, NULL))
        return failed(which, "start", GetLastError());
    if (!ControlService(service, SERVICE_CONTROL_STOP, &status))
        return failed(which, "stop", GetLastError());
    return is_stopped(service) ? 0 : failed(which, "unload", ERROR_SERVICE_REQUEST_TIMEOUT);
}

static int run_all(SC_HANDLE service, const char *name, const char *log, int count, char **cases) {
    static char none[] = "";
    char *once[] = {none};
    int result = 0;
    if (count == 0) {
        count = 1;
        cases = once;
    }
    /* A driver that took Wine's host process with it would make each further start wait for nothing. */
    for (int i = 0; i < count && result == 0; i++) {
        DWORD error = set_parameters(name, log, cases[i]);
        result = error != ERROR_SUCCESS ? failed(cases[i], "parameters", error)
                                        : run(service, *cases[i] != '\0' ? cases[i] : name);
    }
    return result;
}

static SC_HANDLE create(SC_HANDLE manager, const char *name, const char *driver) {
    SC_HANDLE service = CreateServiceA(manager, name, name, SERVICE_ALL_ACCESS,
                                       SERVICE_KERNEL_DRIVER, SERVICE_DEMAND_START,
                                       SERVICE_ERROR_NORMAL, driver, GROUP, NULL, NULL, NULL, NULL);
    if (service == NULL)
        failed(name, "create the service", GetLastError());
    return service;
}

static int discard(SC_HANDLE service, const char *name) {
    int result = DeleteService(service) ? 0 : failed(name, "delete the service", GetLastError());
    CloseServiceHandle(service);
    return result;
}

/* Starts the driver that holds the host process. The first start in a new prefix may fail. */
static BOOL warm_up(SC_HANDLE service, const char *name) {
    for (int tries = 1; !StartServiceA(service, 0, NULL); tries++) {
        if (tries == WARM_TRIES) {
            failed(name, "start", GetLastError());
            return FALSE;
        }
        Sleep(1000);
    }
    return TRUE;
}

static int load(SC_HANDLE manager, const char *name, const char *driver, const char *log, int count,
                char **cases) {
    SC_HANDLE service = create(manager, name, driver);
    if (service == NULL)
        return 1;
    int result = run_all(service, name, log, count, cases);
    return discard(service, name) | result;
}

int main(int argc, char **argv) {
    char driver[MAX_PATH], warm[MAX_PATH + 16], warm_name[64];
    SERVICE_STATUS status;
    if (argc < 4 || GetFullPathNameA(argv[2], sizeof(driver), driver, NULL) == 0) {
        fprintf(stderr, "usage: load NAME DRIVER.SYS LOG [CASE]...\n");
        return 2;
    }
    int folder = (int)(strrchr(driver, '\\') - driver);
    snprintf(warm_name, sizeof(warm_name), "warm_%s", argv[1]);
    snprintf(warm, sizeof(warm), "%.*s\\warm.sys", folder, driver);
    SC_HANDLE manager = OpenSCManagerA(NULL, NULL, SC_MANAGER_ALL_ACCESS);
    if (manager == NULL)
        return failed(argv[1], "open the service manager", GetLastError());
    SC_HANDLE holder = create(manager, warm_name, warm);
    if (holder == NULL)
        return 1;
    int result = 1;
    if (warm_up(holder, warm_name)) {
        result = load(manager, argv[1], driver, argv[3], argc - 4, argv + 4);
        if (!ControlService(holder, SERVICE_CONTROL_STOP, &status) || !is_stopped(holder))
            result = failed(warm_name, "stop", GetLastError());
    }
    result |= discard(holder, warm_name);
    CloseServiceHandle(manager);
    return result;
}
