import { checkFixtures } from "@witgate/sdk/testing";

import plugin from "./attestor.js";

checkFixtures(plugin);
