-- Sends the tokens of a file in turn: `wrk -s requests.lua URL -- FILE [NUMBER]`, the first NUMBER only.

function init(arguments)
   local most = tonumber(arguments[2]) or math.huge
   requests = {}
   for token in io.lines(arguments[1]) do
      if #requests >= most then break end
      local headers = { Authorization = "Bearer " .. token }
      requests[#requests + 1] = wrk.format("GET", "/posts", headers)
   end
   turn = 0
end

function request()
   turn = turn % #requests + 1
   return requests[turn]
end
