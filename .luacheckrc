-- What a script may use: the Lua 5.1 that Redis and Valkey offer, and from src/scripts/lib only the
-- files that it names in its line `-- uses: ...`, which the build step puts in front of it.
local lfs = require "lfs"

local function set_of_fields(names)
   local fields = {}
   for _, name in ipairs(names) do
      fields[name] = {}
   end
   return { fields = fields }
end

local lua51 = stds.lua51.read_globals or stds.lua51.globals

local redis_globals = {
   -- No io, os, load or print: a sandboxed server has none of them, or a script has no business there.
   string = lua51.string,
   table = lua51.table,
   math = lua51.math,
   redis = set_of_fields {
      "call", "pcall", "error_reply", "status_reply", "sha1hex", "log", "setresp",
      "LOG_DEBUG", "LOG_VERBOSE", "LOG_NOTICE", "LOG_WARNING",
   },
   cjson = set_of_fields { "encode", "decode", "null" },
   cmsgpack = set_of_fields { "pack", "unpack", "unpack_one", "unpack_limit" },
   struct = set_of_fields { "pack", "unpack", "size" },
   bit = set_of_fields {
      "tobit", "tohex", "bnot", "band", "bor", "bxor", "lshift", "rshift", "arshift", "rol", "ror", "bswap",
   },
   KEYS = { other_fields = true },
   ARGV = { other_fields = true },
}
for _, name in ipairs {
   "assert", "error", "getmetatable", "ipairs", "next", "pairs", "pcall", "rawequal", "rawget", "rawset",
   "select", "setmetatable", "tonumber", "tostring", "type", "unpack", "xpcall",
} do
   redis_globals[name] = {}
end

stds.redis = { read_globals = redis_globals }
std = "redis"

-- luacheck may run in any folder below this one, but tells this file nothing about where it lies.
local function find_scripts()
   for _, up in ipairs { "", "../", "../../", "../../../" } do
      if lfs.attributes(up .. ".luacheckrc") and lfs.attributes(up .. "src/scripts") then
         return up .. "src/scripts"
      end
   end
   error "no src/scripts beside .luacheckrc"
end

local function lua_files(folder)
   local names = {}
   for entry in lfs.dir(folder) do
      names[#names + 1] = string.match(entry, "^(.+)%.lua$")
   end
   return names
end

local function read(path)
   local file = assert(io.open(path))
   local text = file:read "*a"
   file:close()
   return text
end

local scripts_folder = find_scripts()
local functions_of = {}

for _, name in ipairs(lua_files(scripts_folder .. "/lib")) do
   local functions, unused = {}, {}
   for shared in string.gmatch("\n" .. read(scripts_folder .. "/lib/" .. name .. ".lua"), "\nlocal function ([%w_]+)") do
      functions[#functions + 1] = shared
      unused[#unused + 1] = "211/" .. shared -- not unused: scripts call it
   end
   functions_of[name] = functions
   files["src/scripts/lib/" .. name .. ".lua"].ignore = unused
end

for _, name in ipairs(lua_files(scripts_folder)) do
   local allowed = {}
   local uses = string.match(read(scripts_folder .. "/" .. name .. ".lua"), "\n%-%- uses: ([^\n]*)") or ""
   for used in string.gmatch(uses, "[%w_-]+") do
      for _, shared in ipairs(functions_of[used] or {}) do
         allowed[#allowed + 1] = shared
      end
   end
   files["src/scripts/" .. name .. ".lua"].read_globals = allowed
end
